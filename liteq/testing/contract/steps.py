"""The contract of durable steps: `settle` with steps, and `steps`."""

from ...model.graph import Graph, Group, Place
from ...model.message import Delivery
from ...model.outcome import Settlement
from ...states import Phase
from .harness import ids
from .step_harness import StepsHarness


class Steps(StepsHarness):
    """The steps of a task outlive its runs."""

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

    def test_a_step_after_the_end_of_its_task_in_one_batch_is_refused(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        keeping = Settlement(delivery.receipt, Phase.RUNNING, self.clock(), steps=(self.step(),))
        sleep = self.suspend(delivery, self.pending("sleep", "sleep", self.clock() + 5))

        assert self.settle(sleep, keeping) == [delivery.receipt]
        assert self.phase() is Phase.SCHEDULED
        assert [step.name for step in self.broker.steps("a")] == ["sleep"]

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
        assert [self.record(id).event for id in "ab"] == [None, None]
        self.emit()
        assert [self.phase(id) for id in "ab"] == [Phase.CANCELLED] * 2
        self.clock.advance(6)
        self.broker.promote()
        assert self.claim() == []

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
