"""The contract of `settle`."""

from contextlib import suppress
from typing import Any, cast

from ...states import Phase
from .harness import Harness, ids
from .races import race


class Settling(Harness):
    """A claim is settled once, and everything about its end is written in one transaction."""

    def test_a_settled_task_has_its_outcome(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.clock.advance(2)
        self.settle(self.success(delivery, b"\0\xff", traceback="frames", keep_until=7.5))

        record = self.record()
        assert record.phase is Phase.SUCCEEDED
        assert (record.result, record.result_serializer) == (b"\0\xff", "json")
        assert (record.traceback, record.keep_until) == ("frames", 7.5)
        assert (record.started, record.finished) == (self.clock() - 2, self.clock())
        assert record.worker == "worker"

    def test_a_task_may_end_in_each_final_phase(self) -> None:
        for phase in (each for each in Phase if each.final):
            self.send(phase.name)
            assert self.settle(self.success(self.claim_one())._replace(phase=phase)) == []

            assert self.phase(phase.name) is phase

    def test_a_task_may_have_no_result(self) -> None:
        self.send("a")
        self.settle(self.success(self.claim_one())._replace(result=None, result_serializer=None))

        assert (self.record().result, self.record().result_serializer) == (None, None)

    def test_a_result_may_be_large(self) -> None:
        result = bytes(range(256)) * 4096  # 1 MiB
        self.finish("a", result=result)

        assert self.record().result == result

    def test_lost_processes_and_a_reported_state_are_written_with_the_outcome(self) -> None:
        self.finish("a", lost=2, reported="IGNORED")

        assert (self.record().lost, self.record().reported) == (2, "IGNORED")

    def test_an_outcome_without_a_reported_state_clears_it(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.report("a", "PROGRESS", b"50", "json")
        self.settle(self.success(delivery))

        assert self.record().reported is None

    def test_a_settled_task_cannot_be_settled_again(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))

        assert self.settle(self.success(delivery, b"other")) == [delivery.receipt]
        assert self.settle(self.retry(delivery)) == [delivery.receipt]
        assert self.record().result == b"result"

    def test_a_receipt_is_good_for_one_settlement_of_a_batch(self) -> None:
        self.send("a")
        delivery = self.claim_one()

        refused = self.settle(self.success(delivery, b"first"), self.success(delivery, b"second"))

        assert refused == [delivery.receipt]
        assert self.record().result == b"first"

    def test_a_settlement_that_is_in_a_batch_twice_is_refused_once(self) -> None:
        self.send("a", "b")
        a, b = self.claim()

        refused = self.settle(self.success(a), self.success(a), self.success(b))

        assert refused == [a.receipt]
        assert [self.phase(id) for id in "ab"] == [Phase.SUCCEEDED] * 2

    def test_a_retry_that_is_in_a_batch_twice_is_refused_once(self) -> None:
        self.send("a", "b")
        first, other = self.claim()
        again, report_kept = self.retry(first), self.retry(first)._replace(keeps_report=True)

        assert self.settle(again, report_kept, again, self.retry(other)) == [first.receipt] * 2
        assert [self.record(id).message.retries for id in "ab"] == [1, 1]
        assert [len(self.broker.attempts(id)) for id in "ab"] == [1, 1]

    def test_a_stale_receipt_is_refused_and_nothing_is_written(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        before = self.record()

        assert self.settle(self.success(old)) == [old.receipt]
        assert self.settle(self.retry(old, eta=5.0, payload=b"other")) == [old.receipt]
        assert self.record() == before

    def test_a_stale_receipt_does_not_fit_the_next_claim(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        new = self.claim_one()

        assert self.settle(self.success(old)) == [old.receipt]
        assert self.phase() is Phase.RUNNING
        assert self.settle(self.success(new)) == []

    def test_a_receipt_does_not_fit_a_later_task_of_the_same_id(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.settle(self.success(old))
        self.broker.forget(["a"])
        self.send("a")
        self.claim_one()

        assert self.settle(self.success(old)) == [old.receipt]

    def test_one_that_is_refused_does_not_stop_the_others(self) -> None:
        self.send("a", "b", "c")
        a, b, c = self.claim()
        self.broker.release([b.receipt])

        assert self.settle(self.success(a), self.success(b), self.retry(c)) == [b.receipt]
        assert [self.phase(id) for id in "abc"] == [Phase.SUCCEEDED, Phase.READY, Phase.READY]

    def test_of_racing_settlements_of_one_claim_one_wins(self) -> None:
        self.send("a")
        delivery = self.claim_one()

        refused = race(4, lambda n: self.settle(self.success(delivery, b"%d" % n)))

        assert sorted(refused) == [[], *[[delivery.receipt]] * 3]
        assert self.record().result == b"%d" % refused.index([])

    def test_a_batch_with_a_settlement_that_cannot_be_stored_writes_nothing(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        with suppress(Exception):
            self.settle(self.success(a), self.success(b, cast("bytes", object())))

        assert [self.phase(id) for id in "ab"] == [Phase.RUNNING] * 2

    # claiming the next in the same transaction

    def test_settling_can_claim_the_next(self) -> None:
        self.send("a", "b", "c")
        (a,) = self.claim(limit=1)

        settled = self.broker.settle([self.success(a)], self.claim_request(limit=1))

        assert settled.refused == []
        assert ids(settled.claimed) == ["b"]
        assert [self.phase(id) for id in "abc"] == [Phase.SUCCEEDED, Phase.RUNNING, Phase.READY]

    def test_a_task_that_is_ready_again_can_be_claimed_with_its_settlement(self) -> None:
        self.send("a")
        delivery = self.claim_one()

        settled = self.broker.settle([self.retry(delivery)], self.claim_request())

        assert ids(settled.claimed) == ["a"]
        assert settled.claimed[0].message.retries == 1

    def test_the_next_are_claimed_even_if_a_settlement_is_refused(self) -> None:
        self.send("a", "b")
        (a,) = self.claim(limit=1)
        self.settle(self.success(a))

        settled = self.broker.settle([self.success(a)], self.claim_request())

        assert settled.refused == [a.receipt]
        assert ids(settled.claimed) == ["b"]

    def test_there_may_be_nothing_to_settle(self) -> None:
        self.send("a")

        assert self.broker.settle([]) == ([], [])
        assert ids(self.broker.settle([], self.claim_request()).claimed) == ["a"]

    # retries

    def test_a_retry_with_an_eta_waits_for_it(self) -> None:
        self.send("a")
        eta = self.clock() + 10
        self.settle(self.retry(self.claim_one(), eta))

        assert self.phase() is Phase.SCHEDULED
        self.clock.now = eta
        self.broker.promote()
        assert self.claim_one().message.eta == eta

    def test_a_retry_without_an_eta_is_ready(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one()))

        assert self.claim_one().message.retries == 1

    def test_a_retry_keeps_what_the_task_was_sent_with(self) -> None:
        sent = self.message(queue="q", priority=4, acks_late=False, options="{}", expires=9e9)
        self.broker.enqueue([sent])
        (delivery,) = self.claim(queues=["q"])
        self.settle(self.retry(delivery))

        assert self.record().message == sent._replace(retries=1)
        assert self.known("a") == ["a"]

    def test_a_retry_may_change_arguments_options_queue_and_priority(self) -> None:
        changes: dict[str, Any] = {"payload": b"\0", "serializer": "pickle", "options": '{"x": 1}'}
        self.send("a")
        self.settle(self.retry(self.claim_one(), **changes, queue="q", priority=7, expires=9e9))

        (delivery,) = self.claim(queues=["q"])
        changed = self.message(**changes, queue="q", priority=7, expires=9e9, retries=1)
        assert delivery.message == changed

    def test_a_retry_may_change_how_the_task_is_settled(self) -> None:
        # As when another task runs in its place.
        changes = {"acks_late": False, "ignore_result": True, "track_started": True}
        self.send("a")
        again = self.retry(self.claim_one(), task="other", **changes)
        self.settle(again)

        assert again.retry is not None
        assert self.record().message == again.retry
        assert self.claim_one().message == again.retry

    def test_a_retry_stores_its_reason_and_the_lost_processes(self) -> None:
        self.send("a")
        again = self.retry(self.claim_one(), eta=9e9)
        self.settle(again._replace(result=b"why", result_serializer="json", traceback="t", lost=2))

        record = self.record()
        assert (record.result, record.result_serializer) == (b"why", "json")
        assert (record.traceback, record.lost) == ("t", 2)
        assert (record.finished, record.keep_until) == (None, None)

    def test_a_retry_carries_lost_processes_and_the_reported_state_to_the_next_claim(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one())._replace(lost=1, reported="HALF"))

        delivery = self.claim_one()
        assert (delivery.lost, delivery.reported) == (1, "HALF")

    def test_a_retry_voids_the_receipt(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.settle(self.retry(old))
        self.claim_one()

        assert self.settle(self.success(old)) == [old.receipt]

    def test_a_retried_task_keeps_its_place_in_the_order(self) -> None:
        self.send("a", "b")
        (a,) = self.claim(limit=1)
        self.settle(self.retry(a))

        assert ids(self.claim()) == ["a", "b"]
