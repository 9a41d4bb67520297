"""The contract of durable steps and events: `settle` with steps, `steps`, `emit`, `event`."""

from typing import Any

from ...model.graph import Graph, Group, Place
from ...model.message import Delivery, new_id
from ...model.outcome import Settlement
from ...model.step import Event, Step
from ...states import Phase
from .harness import Harness, ids
from .races import race

FOR_LONG = 1e6  # seconds


class StepsHarness(Harness):
    """Short verbs for steps and events."""

    def step(self, name: str = "charge", kind: str = "step", **fields: Any) -> Step:
        """Return a step that ended now."""
        usual = {"value": b"value", "serializer": "json"}
        return Step(name, kind, self.clock(), **{**usual, **fields})

    def pending(self, name: str, kind: str, until: float | None = None, **fields: Any) -> Step:
        """Return a step that goes on."""
        return Step(name, kind, self.clock(), until, **fields)

    def keep(self, delivery: Delivery, *steps: Step) -> bool:
        """Store steps of a running task; return whether its claim still held."""
        settlement = Settlement(delivery.receipt, Phase.RUNNING, self.clock(), steps=steps)
        return self.settle(settlement) == []

    def suspend(self, delivery: Delivery, step: Step | None, **fields: Any) -> Settlement:
        """Return the settlement of a task that goes on when `step` has ended."""
        until = None if step is None else step.until
        usual: dict[str, Any] = {
            "phase": Phase.WAITING if until is None else Phase.SCHEDULED,
            "retry": delivery.message._replace(eta=until),
            "steps": () if step is None else (step,),
            "event": step.name if step is not None and step.kind == "wait" else None,
            "keeps_report": True,
            "lost": delivery.lost,
            "why": "awaited",
            "old_place": delivery.place,
        }
        return Settlement(delivery.receipt, at=self.clock(), **{**usual, **fields})

    def await_event(self, id: str, key: str, timeout: float | None = None) -> None:
        """Send a task, and let it wait for an event."""
        self.send(id)
        until = None if timeout is None else self.clock() + timeout
        (delivery,) = self.claim()
        assert self.settle(self.suspend(delivery, self.pending(key, "wait", until))) == []

    def occur(self, key: str = "key", value: bytes = b"yes", keep: float = FOR_LONG) -> Event:
        """Return an event that occurs now and is kept for `keep` seconds."""
        return Event(key, value, "json", self.clock(), self.clock() + keep, new_id())

    def emit(self, key: str = "key", value: bytes = b"yes", keep: float = FOR_LONG) -> bool:
        """Emit an event; return whether it was stored."""
        return self.broker.emit(self.occur(key, value, keep))


class Steps(StepsHarness):
    """The steps of a task outlive its runs, and no event is missed."""

    # steps

    def test_a_task_has_no_steps_at_first_and_an_unknown_one_has_none(self) -> None:
        self.send("a")

        assert self.broker.steps("a") == self.broker.steps("unknown") == []

    def test_a_running_task_keeps_its_claim_while_its_steps_are_stored(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        first = self.step("first", value=b"\0\xff", serializer="pickle")
        self.clock.advance(1)
        second = self.step("second", "gather", failed=True)
        before = self.record()

        assert self.keep(delivery, first)
        assert self.keep(delivery, second)

        assert self.broker.steps("a") == [first, second]
        assert self.record() == before
        assert self.settle(self.success(delivery)) == []

    def test_a_step_replaces_one_of_its_name(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.keep(a, self.pending("sleep", "sleep", 5.0))
        self.keep(b, self.step("sleep"))
        again = self.step("sleep", value=b"other")

        assert self.keep(a, again)
        assert self.broker.steps("a") == [again]
        assert self.broker.steps("b") == [self.step("sleep")]

    def test_a_step_has_any_name_and_a_value_of_any_size(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        steps = [
            self.step("ünïcode: 'quotes' \"and\" {braces} %s \\", value=b""),
            self.step("y" * 255, value=bytes(range(256)) * 4096),
            self.pending("z", "sleep", self.clock() + 0.123456789),
        ]

        assert self.keep(delivery, *steps)
        assert sorted(self.broker.steps("a")) == sorted(steps)

    def test_a_step_of_a_lost_claim_is_refused_and_not_stored(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        new = self.claim_one()

        assert not self.keep(old, self.step("old"))
        assert self.keep(new, self.step("new"))
        assert not self.keep(old, self.step("new", value=b"other"))
        assert self.broker.steps("a") == [self.step("new")]

    def test_a_step_of_an_ended_or_deleted_task_is_refused(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))
        assert not self.keep(delivery, self.step())
        self.broker.forget(["a"])
        assert not self.keep(delivery, self.step())

        assert self.broker.steps("a") == []

    def test_steps_are_written_with_the_outcomes_of_other_tasks_and_before_the_next_claim(
        self,
    ) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.send("c")
        keeping = Settlement(a.receipt, Phase.RUNNING, self.clock(), steps=(self.step(),))

        settled = self.broker.settle([keeping, self.success(b)], self.claim_request())

        assert settled.refused == []
        assert ids(settled.claimed) == ["c"]
        assert [self.phase(id) for id in "abc"] == [Phase.RUNNING, Phase.SUCCEEDED, Phase.RUNNING]
        assert self.broker.steps("a") == [self.step()]

    def test_a_refused_step_leaves_the_rest_of_the_batch_as_it_is(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.broker.release([a.receipt])
        keeping = Settlement(a.receipt, Phase.RUNNING, self.clock(), steps=(self.step(),))
        ours = Settlement(b.receipt, Phase.RUNNING, self.clock(), steps=(self.step(),))

        assert self.settle(keeping, ours, self.success(b)) == [a.receipt]
        assert self.broker.steps("a") == []
        assert self.broker.steps("b") == [self.step()]
        assert self.phase("b") is Phase.SUCCEEDED

    def test_a_step_and_the_end_of_its_task_may_be_in_one_batch(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        keeping = Settlement(delivery.receipt, Phase.RUNNING, self.clock(), steps=(self.step(),))

        assert self.settle(keeping, self.retry(delivery)) == []
        assert self.phase() is Phase.READY
        assert self.broker.steps("a") == [self.step()]

    def test_steps_outlive_retries_releases_and_the_death_of_a_worker(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.keep(delivery, self.step())
        self.settle(self.retry(delivery))
        again = self.claim_one()
        self.broker.release([again.receipt])
        self.claim_and_die()
        self.rescue()

        assert self.phase() is Phase.READY
        assert self.broker.steps("a") == [self.step()]

    def test_steps_outlive_a_failure_and_a_revival(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.keep(delivery, self.step())
        self.settle(self.success(delivery)._replace(phase=Phase.DEAD))
        assert self.broker.steps("a") == [self.step()]
        self.broker.revive(["a"])

        assert self.broker.steps("a") == [self.step()]

    def test_steps_end_with_their_task(self) -> None:
        for id in ("forgotten", "swept", "purged", "kept"):
            self.send(id)
            delivery = self.claim_one()
            self.keep(delivery, self.step())
            if id == "purged":
                self.settle(self.suspend(delivery, self.pending("s", "sleep", self.clock() + 9)))
            else:
                kept = self.clock() + (9 if id == "kept" else 0)
                self.settle(self.success(delivery, keep_until=kept))
        self.broker.forget(["forgotten"])
        assert self.broker.sweep(10) == 1
        assert self.broker.purge(None) == 1

        assert self.known("forgotten", "swept", "purged", "kept") == ["kept"]
        found = {id: self.broker.steps(id) for id in ("forgotten", "swept", "purged", "kept")}
        assert list(map(len, found.values())) == [0, 0, 0, 1]
        self.send("forgotten")
        assert self.broker.steps("forgotten") == []

    def test_a_task_that_is_sent_in_place_of_a_finished_one_has_no_steps(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.keep(delivery, self.step())
        self.settle(self.success(delivery))
        assert self.broker.enqueue_or_replace(self.message("a"), self.clock() + 1)

        assert self.broker.steps("a") == []

    def test_steps_are_forgotten_where_other_code_runs_under_the_same_id(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.keep(delivery, self.step())
        self.settle(self.retry(delivery)._replace(graph=Graph(), place=Place(), steps=None))

        assert self.phase() is Phase.READY
        assert self.broker.steps("a") == []

    # sleeping

    def test_a_sleeping_task_runs_again_when_that_is_over(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        sleep = self.pending("cool down", "sleep", self.clock() + 60)
        assert self.settle(self.suspend(delivery, sleep, why="slept")) == []

        assert self.phase() is Phase.SCHEDULED
        assert self.record().event is None
        assert self.broker.steps("a") == [sleep]
        assert self.broker.promote() == sleep.until
        assert self.claim() == []
        self.clock.advance(60)
        self.broker.promote()
        again = self.claim_one()
        assert (again.message.retries, again.lost, again.attempts) == (0, 0, 1)
        assert again.message.payload == delivery.message.payload

    def test_the_end_of_a_run_that_goes_on_is_in_its_history(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.clock.advance(2)
        self.settle(self.suspend(delivery, None, phase=Phase.READY, why="snoozed"))

        (attempt,) = self.broker.attempts("a")
        assert (attempt.number, attempt.outcome, attempt.worker) == (1, "snoozed", "worker")
        assert (attempt.started, attempt.ended) == (self.clock() - 2, self.clock())

    def test_what_a_task_has_reported_stays_while_it_sleeps(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.report("a", "PROGRESS", b"half", "json")
        self.settle(self.suspend(delivery, self.pending("s", "sleep", self.clock() + 1)))

        record = self.record()
        assert (record.reported, record.result, record.result_serializer) == (
            "PROGRESS",
            b"half",
            "json",
        )
        self.clock.advance(1)
        self.broker.promote()
        assert self.claim_one().reported == "PROGRESS"

    def test_a_suspension_of_a_lost_claim_is_refused_with_its_step(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        wait = self.pending("key", "wait")

        assert self.settle(self.suspend(old, wait)) == [old.receipt]
        assert self.phase() is Phase.READY
        assert self.broker.steps("a") == []
        self.emit()
        assert self.broker.steps("a") == []

    def test_a_revoked_task_ends_when_it_would_sleep_or_wait(self) -> None:
        for id, step in (("a", self.pending("s", "sleep", 9e9)), ("b", self.pending("k", "wait"))):
            self.send(id)
            delivery = self.claim_one()
            self.broker.cancel([id], 60.0)
            assert self.settle(self.suspend(delivery, step)) == []

            assert self.phase(id) is Phase.CANCELLED

    def test_a_task_that_sleeps_or_waits_can_be_revoked(self) -> None:
        self.await_event("a", "key")
        self.await_event("b", "key", timeout=5)

        assert self.broker.cancel(["a", "b"], 60.0) == ["a", "b"]
        assert [self.phase(id) for id in "ab"] == [Phase.CANCELLED] * 2
        self.emit()
        assert [self.phase(id) for id in "ab"] == [Phase.CANCELLED] * 2
        self.clock.advance(6)
        self.broker.promote()
        assert self.claim() == []

    # events

    def test_an_event_is_stored_once(self) -> None:
        first, second = self.occur(value=b"first"), self.occur(value=b"second")

        assert self.broker.emit(first)
        assert not self.broker.emit(second)
        assert self.broker.event("key") == first
        assert self.broker.event("other") is None

    def test_an_event_that_is_emitted_again_by_the_same_call_was_the_first(self) -> None:
        event = self.occur()

        assert self.broker.emit(event)
        assert self.broker.emit(event)

    def test_of_many_that_emit_an_event_one_is_the_first(self) -> None:
        events = [self.occur(value=b"%d" % n) for n in range(6)]

        found = race(len(events), lambda n: self.broker.emit(events[n]))

        assert sorted(found) == [False] * 5 + [True]
        stored = self.broker.event("key")
        assert stored == events[found.index(True)]

    def test_an_event_is_kept_for_its_time_and_then_may_occur_again(self) -> None:
        assert self.emit(value=b"first", keep=5)
        self.clock.advance(5)

        assert self.broker.event("key") is None
        assert self.emit(value=b"second")
        stored = self.broker.event("key")
        assert stored is not None
        assert stored.value == b"second"

    def test_events_that_are_too_old_are_swept(self) -> None:
        self.emit("old", keep=5)
        self.emit("new", keep=500)
        self.clock.advance(5)

        assert self.broker.sweep(10) == 0
        self.clock.advance(-5)  # so that it would count still, if it were there
        assert self.broker.event("old") is None
        assert self.broker.event("new") is not None

    def test_a_waiting_task_is_woken_by_its_event_and_has_its_value(self) -> None:
        self.await_event("a", "key")
        assert (self.phase(), self.record().event) == (Phase.WAITING, "key")
        self.clock.advance(3)
        self.emit("other")
        assert self.claim() == []

        self.emit("key", b"yes")

        assert self.phase() is Phase.READY
        (step,) = self.broker.steps("a")
        assert step == Step("key", "wait", self.clock(), None, b"yes", "json")
        again = self.claim_one()
        assert (again.message.retries, again.attempts) == (0, 1)

    def test_an_event_wakes_all_that_wait_for_it(self) -> None:
        for id in "abc":
            self.await_event(id, "key")
        self.await_event("d", "other")

        self.emit("key")

        assert ids(self.claim()) == ["a", "b", "c"]

    def test_a_task_that_waits_for_an_event_of_before_runs_again_at_once(self) -> None:
        self.emit("key", b"early")
        self.await_event("a", "key")

        assert self.phase() is Phase.READY
        (step,) = self.broker.steps("a")
        assert (step.value, step.serializer) == (b"early", "json")

    def test_a_task_that_waits_for_an_event_that_is_too_old_waits(self) -> None:
        self.emit("key", keep=5)
        self.clock.advance(5)
        self.await_event("a", "key")

        assert self.phase() is Phase.WAITING
        self.emit("key", b"new")
        assert self.phase() is Phase.READY

    def test_a_task_may_wait_for_an_event_only_for_some_time(self) -> None:
        self.await_event("a", "key", timeout=5)
        until = self.clock() + 5
        assert (self.phase(), self.record().event) == (Phase.SCHEDULED, "key")
        assert self.broker.promote() == until

        self.clock.advance(5)
        self.broker.promote()

        assert self.phase() is Phase.READY
        (step,) = self.broker.steps("a")
        assert (step.until, step.value, step.serializer) == (until, None, None)
        self.emit("key")  # too late: it has begun, or will, without the event
        assert self.broker.steps("a") == [step]

    def test_an_event_may_come_before_the_time_is_over(self) -> None:
        self.await_event("a", "key", timeout=5)
        self.clock.advance(4)
        self.emit("key")

        assert self.phase() is Phase.READY
        assert ids(self.claim()) == ["a"]

    def test_an_event_does_not_wake_a_task_that_waits_for_something_else_by_now(self) -> None:
        self.await_event("a", "key", timeout=5)
        self.clock.advance(5)
        self.broker.promote()
        delivery = self.claim_one()
        self.settle(self.retry(delivery, eta=self.clock() + 60))

        self.emit("key")

        assert self.phase() is Phase.SCHEDULED

    def test_no_event_is_missed_that_is_emitted_while_a_task_begins_to_wait(self) -> None:
        for n in range(20):
            id, key = f"t{n}", f"key-{n}"
            self.send(id)
            waits = self.suspend(self.claim_one(), self.pending(key, "wait"))
            self.wait_and_emit(waits, key)

            assert self.phase(id) is Phase.READY
            (step,) = self.broker.steps(id)
            assert step.value == b"yes"
            self.settle(self.success(self.claim_one()))

    def wait_and_emit(self, waits: Settlement, key: str) -> None:
        """Let a task begin to wait and its event occur at the same time."""
        race(2, lambda n: self.settle(waits) if n else self.emit(key))

    def test_an_event_that_was_taken_stays_for_others(self) -> None:
        self.await_event("a", "key")
        self.emit("key")
        self.claim_one()
        self.await_event("b", "key")

        assert self.phase("b") is Phase.READY

    def test_a_workers_listener_is_notified_of_a_task_that_an_event_wakes(self) -> None:
        self.await_event("a", "key")
        listener = self.broker.work_listener(self.worker)
        listener.clear()
        try:
            self.emit("key")
            assert listener.wait(5)
        finally:
            listener.close()

    # workflows

    def test_a_task_that_waits_for_an_event_is_not_woken_by_the_task_before_it(self) -> None:
        first, second = self.message("first"), self.message("second")
        places = (Place(followed=True), Place(waits="first", takes=True))
        self.broker.enqueue_graph(Graph((first, second), places))
        self.settle(self.success(self.claim_one(), tied=True))
        delivery = self.claim_one()
        self.settle(self.suspend(delivery, self.pending("key", "wait")))
        assert self.phase("second") is Phase.WAITING
        self.emit("key")
        again = self.claim_one()

        assert again.message.id == "second"
        assert again.inputs is not None
        assert again.inputs.result == b"result"

    def test_a_chain_goes_on_once_a_task_of_it_has_waited(self) -> None:
        first, second = self.message("first"), self.message("second")
        places = (Place(followed=True), Place(waits="first"))
        self.broker.enqueue_graph(Graph((first, second), places))
        self.settle(self.suspend(self.claim_one(), self.pending("key", "wait")))
        assert [self.phase(id) for id in ("first", "second")] == [Phase.WAITING] * 2
        self.emit("key")
        self.settle(self.success(self.claim_one(), tied=True))

        assert self.phase("second") is Phase.READY

    def gather(self, delivery: Delivery, *members: str) -> None:
        """Let a task wait for others, which are sent in the same transaction."""
        places = tuple(Place(group="g", position=n) for n in range(len(members)))
        graph = Graph(tuple(map(self.message, members)), places, (Group("g", forgiving=True),))
        step = self.pending("gather", "gather", value=b"[]")
        place = Place(waits="g", barrier=True)
        settlement = self.suspend(delivery, step, graph=graph, place=place, why="gathered")
        assert self.settle(settlement) == []

    def test_a_task_waits_for_tasks_that_it_has_sent_and_keeps_its_steps(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.keep(delivery, self.step())
        self.gather(delivery, "m0", "m1")

        assert self.phase() is Phase.WAITING
        assert [step.name for step in self.broker.steps("a")] == ["charge", "gather"]
        first, second = self.claim()
        self.settle(self.success(first, tied=True))
        assert self.phase() is Phase.WAITING
        self.settle(self.success(second, tied=True)._replace(phase=Phase.FAILED))
        assert self.phase() is Phase.READY
        again = self.claim_one()
        assert (again.message.id, again.inputs, again.message.retries) == ("a", None, 0)

    def test_the_results_that_a_task_has_waited_for_are_kept_until_it_has_ended(self) -> None:
        self.send("a")
        self.gather(self.claim_one(), "m0")
        self.settle(self.success(self.claim_one(), tied=True, keep_until=self.clock()))

        assert self.broker.sweep(10) == 0
        self.settle(self.success(self.claim_one(), tied=True, keep_until=self.clock() + 60))
        assert self.broker.sweep(10) == 1
        assert self.known("a", "m0") == ["a"]
