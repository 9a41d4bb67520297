"""The contract of events: `emit`, `event`, and `settle` of a task that waits for one."""

from ...model.outcome import Settlement
from ...model.step import Step
from ...states import Phase
from .harness import ids
from .races import race
from .step_harness import StepsHarness


class Events(StepsHarness):
    """The first event of a key counts, and no task that waits for it misses it."""

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

        assert (self.phase(), self.record().event) == (Phase.READY, None)
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

        assert (self.phase(), self.record().event) == (Phase.READY, None)
        (step,) = self.broker.steps("a")
        assert (step.until, step.value, step.serializer) == (until, None, None)
        self.emit("key")  # too late: it has begun, or will, without the event
        assert self.broker.steps("a") == [step]

    def test_a_wait_for_no_time_at_all_is_over_at_once(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        wait = self.pending("key", "wait", self.clock())
        self.settle(self.suspend(delivery, wait, phase=Phase.READY))

        assert (self.phase(), self.record().event) == (Phase.READY, None)
        assert self.broker.steps("a") == [wait]

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
