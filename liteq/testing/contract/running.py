"""The contract of `report_progress`, `progress` and `to_end`."""

from typing import Any

from ...brokers.base import Claim
from ...brokers.running import SUSPENDED, LateEnd
from ...model.message import Delivery, Receipt
from ...model.progress import LONGEST_TEXT, Progress, ProgressReport
from ...states import Phase
from .harness import Harness
from .waiting import notified


class Running(Harness):
    """What is known of tasks while they run."""

    # progress

    def test_a_task_has_come_nowhere_at_first(self) -> None:
        self.send("a")

        assert self.broker.progress(["a", "unknown"]) == [None, None]
        self.claim_one()
        assert self.broker.progress(["a"]) == [None]
        assert self.broker.progress([]) == []

    def test_progress_is_read_as_it_was_reported_and_the_last_report_counts(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        first = self.come(delivery, 1)
        assert self.broker.progress(["a"]) == [first]

        last = self.come(
            delivery, 2.5, total=10, rate=0.25, text="ünïcode: 'quotes' \"and\" {} %s\n"
        )
        assert self.broker.progress(["a"]) == [last]

    def test_the_largest_and_the_smallest_progress_can_be_stored(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        for progress in (
            Progress(),
            Progress(-(2**53), 2**53, 1e-300, "x" * LONGEST_TEXT, self.clock()),
            Progress(0.1 + 0.2, 0, None, "\U0001f40c\0\x7f", 1e-9),
        ):
            self.broker.report_progress([ProgressReport(delivery.receipt, progress)])
            assert self.broker.progress(["a"]) == [progress]

    def test_progress_of_many_tasks_is_reported_and_read_at_once(self) -> None:
        many = [str(n) for n in range(1200)]
        self.send(*many)
        claimed = self.claim(len(many))
        reports = [ProgressReport(each.receipt, self.done(int(each.id))) for each in claimed]
        self.broker.report_progress(reports)

        found = self.broker.progress([*reversed(many), "unknown"])
        assert found == [*map(self.done, reversed(range(1200))), None]

    def test_of_two_reports_of_a_task_the_later_one_counts(self) -> None:
        self.send("a")
        receipt = self.claim_one().receipt
        self.broker.report_progress([ProgressReport(receipt, self.done(n)) for n in (1, 2)])

        assert self.broker.progress(["a"]) == [self.done(2)]

    def test_progress_changes_nothing_else(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.report("a", "HALF", b"50", "json")
        before = self.record()

        progress = self.come(delivery, 1)
        assert self.record() == before
        self.broker.report("a", "FULL", b"100", "json")
        assert self.broker.progress(["a"]) == [progress]
        assert self.settle(self.success(delivery)) == []
        assert self.broker.attempts("a")[0].number == 1

    def test_progress_stays_when_the_task_has_ended_and_goes_with_it(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        progress = self.come(delivery, 1)
        self.settle(self.success(delivery))
        assert self.broker.progress(["a"]) == [progress]

        self.broker.forget(["a"])
        assert self.broker.progress(["a"]) == [None]
        self.send("a")
        self.claim_one()
        assert self.broker.progress(["a"]) == [None]

    def test_an_ended_or_unclaimed_task_reports_nothing(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))
        self.come(delivery, 1)
        self.broker.report_progress([])
        assert self.broker.progress(["a"]) == [None]

        self.send("b")
        delivery = self.claim_one()
        self.broker.release([delivery.receipt])
        self.come(delivery, 1)
        assert self.broker.progress(["b"]) == [None]

    def test_a_lost_claim_reports_nothing_and_others_of_the_same_call_do(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.broker.release([a.receipt])
        (again,) = self.claim()
        reports = [ProgressReport(each.receipt, self.done(1)) for each in (a, b)]
        self.broker.report_progress(reports)
        assert self.broker.progress(["a", "b"]) == [None, self.done(1)]

        self.come(again, 2)
        self.come(a, 3)
        assert self.broker.progress(["a"]) == [self.done(2)]

    def test_what_a_retried_run_had_reported_does_not_count_for_the_next(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.come(delivery, 1)
        self.settle(self.retry(delivery))
        assert self.broker.progress(["a"]) == [None]

        again = self.claim_one()
        assert self.broker.progress(["a"]) == [None]
        self.come(again, 2)
        assert self.broker.progress(["a"]) == [self.done(2)]

    def test_what_a_killed_run_had_reported_does_not_count_for_the_next(self) -> None:
        self.send("a")
        worker = self.register_killable(self.broker)
        (killed,) = self.broker.claim(Claim(worker, ("celery",), 1))
        self.come(killed, 1)
        self.kill_worker(self.broker, worker)
        self.rescue()
        assert self.broker.progress(["a"]) == [None]
        self.claim_one()
        assert self.broker.progress(["a"]) == [None]

    def test_what_a_run_had_reported_that_was_given_back_does_not_count(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.come(delivery, 1)
        self.broker.release([delivery.receipt])
        assert self.broker.progress(["a"]) == [None]
        self.claim_one()
        assert self.broker.progress(["a"]) == [None]

    def test_progress_of_a_revived_task_does_not_count(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.come(delivery, 1)
        self.settle(self.success(delivery)._replace(phase=Phase.FAILED))
        self.broker.revive(["a"])

        assert self.broker.progress(["a"]) == [None]
        self.claim_one()
        assert self.broker.progress(["a"]) == [None]

    def test_progress_counts_while_a_task_sleeps_or_waits_until_its_next_run(self) -> None:
        for outcome in SUSPENDED:
            self.send(outcome)
            delivery = self.claim_one()
            progress = self.come(delivery, 1, text=outcome)
            self.settle(self.retry(delivery, self.clock() + 1)._replace(why=outcome))
            assert self.broker.progress([outcome]) == [progress]

            self.clock.advance(1)
            self.broker.promote()
            assert self.broker.progress([outcome]) == [progress]
            self.claim_one()
            assert self.broker.progress([outcome]) == [None]

    def test_a_listener_is_notified_of_the_progress_of_tasks_that_it_names(self) -> None:
        self.send("a", "b")
        a, _ = self.claim()
        listener = self.broker.result_listener()
        listener.expect(["a", "b"], ["b", "a"])
        with notified(listener):
            self.come(a, 1)

    # late

    def test_what_comes_late_is_kept_with_the_attempt_that_was_lost(self) -> None:
        lost, worker = self._lose("a")
        (before,) = self.broker.attempts("a")
        assert (before.number, before.outcome) == (1, "lost")
        self.clock.advance(5)
        late = LateEnd(lost.receipt, "a", self.clock(), "it succeeded: 'ünïcode'")
        self.broker.keep_late(worker, [late])
        self.broker.keep_late(worker, [])

        (after,) = self.broker.attempts("a")
        assert after == before._replace(ended=self.clock(), outcome="late", error=late.what)
        assert self.phase() is Phase.READY
        self.settle(self.success(self.claim_one(), b"right"))
        assert [each.outcome for each in self.broker.attempts("a")] == ["late", "succeeded"]
        assert self.record().result == b"right"

    def test_what_comes_late_is_added_where_no_attempt_was_lost(self) -> None:
        self.send("a")
        lost = self.claim_one().receipt
        self.broker.release([lost])
        again = self.claim_one()
        self.settle(self.success(again))
        before = self.record()
        late = LateEnd(lost, "a", self.clock(), "it failed")
        for _ in range(2):
            self.broker.keep_late(self.worker, [late])
            first, last = self.broker.attempts("a")
            assert (first.number, first.started, first.ended) == (1, None, self.clock())
            assert (first.worker, first.outcome, first.error) == ("worker", "late", "it failed")
            assert (last.number, last.outcome) == (2, "succeeded")
        assert self.record() == before

    def test_what_comes_late_of_a_task_that_was_set_aside_is_kept(self) -> None:
        lost, worker = self._lose("a", max_lost=1)
        self.broker.keep_late(worker, [LateEnd(lost.receipt, "a", self.clock(), "it succeeded")])

        assert self.phase() is Phase.DEAD
        assert [each.outcome for each in self.broker.attempts("a")] == ["late", "dead"]

    def test_what_comes_late_of_a_task_that_is_gone_is_ignored(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.settle(self.success(a), self.success(b))
        self.broker.forget(["a"])
        late = [LateEnd(each.receipt, each.id, self.clock(), "it succeeded") for each in (a, b)]
        self.broker.keep_late(self.worker, [late[0]._replace(id="unknown"), *late])

        assert self.broker.attempts("a") == []
        assert [each.outcome for each in self.broker.attempts("b")] == ["late", "succeeded"]
        assert self.known("a", "b", "unknown") == ["b"]

    # what is to end

    def test_a_revoked_claim_is_to_end_and_another_one_is_not(self) -> None:
        self.send("gently", "soon", "not")
        deliveries = {each.id: each.receipt for each in self.claim()}
        receipts = [*deliveries.values()]
        assert self.broker.to_end(receipts) == []

        self.broker.cancel(["gently"], keep=None)
        assert self.broker.to_end(receipts) == [deliveries["gently"]]
        self.broker.cancel(["soon"], keep=10, terminate=True)
        assert set(self.broker.to_end(receipts)) == {deliveries["gently"], deliveries["soon"]}
        assert self.broker.to_end([]) == []

    def test_a_lost_claim_is_to_end(self) -> None:
        self.send("a")
        lost = self.claim_one().receipt
        self.broker.release([lost])
        assert self.broker.to_end([lost]) == [lost]

        held = self.claim_one().receipt
        assert self.broker.to_end([lost, held]) == [lost]
        unknown = Receipt(held.key, held.token + 1)
        assert self.broker.to_end([unknown]) == [unknown]

    def test_the_claim_of_a_task_that_has_ended_or_is_gone_is_to_end(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))
        assert self.broker.to_end([delivery.receipt]) == [delivery.receipt]
        self.broker.forget(["a"])
        assert self.broker.to_end([delivery.receipt]) == [delivery.receipt]

    # helpers

    def _lose(self, id: str, max_lost: int = 3) -> tuple[Delivery, int]:
        """Claim a task with a worker that is then held to be dead; return these."""
        self.send(id)
        worker = self.register_killable(self.broker)
        (lost,) = self.broker.claim(Claim(worker, ("celery",), 1))
        self.kill_worker(self.broker, worker)
        self.rescue(max_lost=max_lost)
        return lost, worker

    def done(self, done: float, **fields: Any) -> Progress:
        """Return a progress that is made now."""
        return Progress(done, at=self.clock(), **fields)

    def come(self, delivery: Delivery, done: float, **fields: Any) -> Progress:
        """Report that a task has come so far; return that."""
        progress = self.done(done, **fields)
        self.broker.report_progress([ProgressReport(delivery.receipt, progress)])
        return progress
