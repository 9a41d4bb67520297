"""The contract of `fetch`, `report`, `forget`, `cancel` and `sweep`."""

from math import nextafter

from ...states import Phase
from .harness import Harness, ids


class Results(Harness):
    """Records of tasks, and how long they are kept."""

    def test_records_come_in_the_order_they_were_asked_for(self) -> None:
        self.send("a", "b")

        found = self.broker.fetch(["b", "unknown", "a", "b"])

        assert [each and each.message.id for each in found] == ["b", None, "a", "b"]

    def test_many_records_can_be_asked_for_at_once(self) -> None:
        many = [str(n) for n in range(1500)]
        self.send(*many)

        assert self.known(*many, "unknown") == many
        assert self.broker.fetch([]) == []

    # report

    def test_a_state_can_be_reported_of_a_running_task(self) -> None:
        self.send("a")
        self.claim_one()

        assert self.broker.report("a", "PROGRESS", b"\0\xff", "json")
        record = self.record()
        assert (record.phase, record.reported) == (Phase.RUNNING, "PROGRESS")
        assert (record.result, record.result_serializer) == (b"\0\xff", "json")

    def test_a_state_can_be_reported_of_a_waiting_task(self) -> None:
        self.send("a")

        assert self.broker.report("a", "HELD", b"", "json")
        assert self.claim_one().reported == "HELD"

    def test_no_state_can_be_reported_of_a_finished_or_unknown_task(self) -> None:
        self.finish("a")

        assert not self.broker.report("a", "PROGRESS", b"50", "json")
        assert not self.broker.report("unknown", "PROGRESS", b"50", "json")
        assert (self.record().reported, self.record().result) == (None, b"result")

    # forget

    def test_a_finished_task_can_be_forgotten(self) -> None:
        self.finish("a", "b")

        assert self.broker.forget(["a", "unknown"]) == 1
        assert self.known("a", "b") == ["b"]

    def test_an_unfinished_task_is_not_forgotten(self) -> None:
        self.send("scheduled", eta=self.clock() + 1)
        self.send("running")
        self.claim_one()
        self.send("ready")

        assert self.broker.forget(["scheduled", "running", "ready"]) == 0
        assert len(self.known("scheduled", "running", "ready")) == 3

    def test_a_forgotten_id_can_be_sent_again(self) -> None:
        self.finish("a")
        self.broker.forget(["a"])
        self.send("a")

        assert ids(self.claim()) == ["a"]

    # cancel

    def test_a_task_that_is_not_running_can_be_cancelled(self) -> None:
        self.send("scheduled", eta=self.clock() + 1)
        self.send("ready")

        assert self.broker.cancel(["ready", "scheduled"], keep=10) == ["ready", "scheduled"]
        record = self.record("ready")
        assert record.phase is Phase.CANCELLED
        assert (record.finished, record.keep_until) == (self.clock(), self.clock() + 10)

    def test_a_cancelled_task_never_runs(self) -> None:
        self.send("scheduled", eta=self.clock() + 1)
        self.send("ready")
        self.broker.cancel(["ready", "scheduled"], keep=None)
        self.clock.advance(1)

        assert self.broker.promote() is None
        assert self.claim() == []
        assert self.record("ready").keep_until is None

    def test_a_task_is_cancelled_once(self) -> None:
        self.send("a")

        assert self.broker.cancel(["a", "a"], keep=10) == ["a"]
        self.clock.advance(1)
        assert self.broker.cancel(["a"], keep=10) == []
        assert self.record().finished == self.clock() - 1

    def test_a_task_between_two_attempts_can_be_cancelled(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one(), eta=self.clock() + 1))

        assert self.broker.cancel(["a"], keep=10) == ["a"]

    # sweep

    def test_a_finished_task_is_swept_when_its_time_is_over_and_not_before(self) -> None:
        until = self.clock() + 10
        self.finish("a", keep_until=until)

        self.clock.now = nextafter(until, 0)
        assert self.broker.sweep(10) == 0

        self.clock.now = until
        assert self.broker.sweep(10) == 1
        assert self.known("a") == []

    def test_a_sweep_keeps_to_its_limit(self) -> None:
        self.finish("a", "b", "c", keep_until=self.clock())

        assert self.broker.sweep(2) == 2
        assert self.broker.sweep(2) == 1
        assert self.broker.sweep(2) == 0

    def test_a_finished_task_without_keep_until_is_kept_for_ever(self) -> None:
        self.finish("a", keep_until=None)
        self.clock.now = 1e12

        assert self.broker.sweep(10) == 0

    def test_an_unfinished_task_is_never_swept(self) -> None:
        self.send("scheduled", eta=self.clock() + 1)
        self.send("running")
        self.claim_one()
        self.send("ready")
        self.clock.now = 1e12

        assert self.broker.sweep(10) == 0

    def test_cancelled_and_dead_tasks_are_swept_too(self) -> None:
        self.send("dead")
        self.claim_and_die()
        self.rescue(max_lost=1, keep=10)
        self.send("cancelled")
        self.broker.cancel(["cancelled"], keep=10)
        self.clock.advance(10)

        assert self.broker.sweep(10) == 2
