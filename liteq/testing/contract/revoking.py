"""The contract of `cancel`, `to_terminate`, `revive` and `attempts`."""

from ...brokers.base import ToTerminate
from ...states import Phase
from .harness import Harness


class Revoking(Harness):
    """A revoked task ends once and never runs again; a dead one can be revived."""

    # cancel, while it runs

    def test_a_finished_or_unknown_task_is_not_cancelled(self) -> None:
        self.finish("finished")

        assert self.broker.cancel(["finished", "unknown"], keep=10, terminate=True) == []
        assert self.phase("finished") is Phase.SUCCEEDED
        assert self.broker.to_terminate(self.worker) == []

    def test_a_running_task_goes_on_when_it_is_revoked(self) -> None:
        self.send("a")
        delivery = self.claim_one()

        assert self.broker.cancel(["a"], keep=10) == ["a"]
        assert self.phase() is Phase.RUNNING
        assert self.settle(self.success(delivery)) == []
        assert self.phase() is Phase.SUCCEEDED

    def test_a_revoked_task_is_not_tried_again(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.cancel(["a"], keep=10)

        assert self.settle(self.retry(delivery)) == []
        assert self.phase() is Phase.CANCELLED
        assert self.claim() == []

    def test_a_revoked_task_that_is_released_is_cancelled(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.cancel(["a"], keep=10)
        self.broker.release([delivery.receipt])

        assert self.phase() is Phase.CANCELLED

    def test_a_revoked_task_of_a_worker_that_unregisters_is_cancelled(self) -> None:
        self.send("a")
        self.claim_one()
        self.broker.cancel(["a"], keep=10)
        self.broker.unregister(self.worker)

        assert self.phase() is Phase.CANCELLED

    def test_a_revoked_task_whose_worker_died_is_cancelled(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.broker.cancel(["a"], keep=10)
        self.rescue()

        assert self.phase() is Phase.CANCELLED

    def test_a_revoked_task_is_kept_from_its_end_on_however_long_it_ran(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.broker.cancel(["a"], keep=10)
        self.broker.cancel(["b"], keep=None)
        self.clock.advance(1000)
        self.settle(self.retry(a), self.retry(b))

        assert [self.phase(id) for id in "ab"] == [Phase.CANCELLED] * 2
        kept = [self.record(id).keep_until for id in "ab"]
        assert kept == [self.clock() + 10, None]

    def test_a_task_that_ends_cancelled_is_kept_as_long_as_was_asked(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.cancel(["a"], keep=10)
        self.clock.advance(4)
        self.broker.release([delivery.receipt])

        self.clock.advance(5.9)
        assert self.broker.sweep(10) == 0
        self.clock.advance(10)
        assert self.broker.sweep(10) == 1

    # to_terminate

    def test_a_task_to_terminate_is_returned_only_to_the_worker_that_runs_it(self) -> None:
        self.send("a", "b")
        held = {each.message.id: each.receipt for each in self.claim()}
        other = self.broker.register("other", "{}")
        self.broker.cancel(["a"], keep=10, terminate=True)

        (to_terminate,) = self.broker.to_terminate(self.worker)
        assert to_terminate == ToTerminate(held["a"], "a")
        assert self.broker.to_terminate(other) == []

    def test_a_task_revoked_without_terminate_is_not_to_be_terminated(self) -> None:
        self.send("a")
        self.claim_one()
        self.broker.cancel(["a"], keep=10)

        assert self.broker.to_terminate(self.worker) == []

    def test_a_finished_task_is_no_longer_to_be_terminated(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.cancel(["a"], keep=10, terminate=True)
        self.settle(self.success(delivery))

        assert self.broker.to_terminate(self.worker) == []

    # attempts

    def test_a_task_that_never_began_has_no_attempts(self) -> None:
        self.send("a")

        assert self.broker.attempts("a") == []
        assert self.broker.attempts("unknown") == []

    def test_every_attempt_is_recorded(self) -> None:
        self.send("a")
        started = self.clock()
        delivery = self.claim_one()
        self.clock.advance(1)
        self.settle(self.retry(delivery)._replace(traceback="boom"))
        self.clock.advance(1)
        self.settle(self.success(self.claim_one()))

        first, last = self.broker.attempts("a")
        assert first == (1, started, started + 1, "worker", "retry", "boom")
        assert last == (2, started + 2, started + 2, "worker", "succeeded", None)

    def test_a_running_attempt_has_no_end(self) -> None:
        self.send("a")
        self.claim_one()

        (attempt,) = self.broker.attempts("a")
        assert (attempt.ended, attempt.outcome) == (None, "running")

    def test_a_delivery_has_the_number_of_earlier_attempts(self) -> None:
        self.send("a")
        first = self.claim_one()
        self.settle(self.retry(first))

        assert (first.attempts, self.claim_one().attempts) == (0, 1)

    def test_a_release_is_no_attempt(self) -> None:
        self.send("a")
        self.broker.release([self.claim_one().receipt])

        assert self.claim_one().attempts == 0

    def test_a_lost_process_is_an_attempt(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.rescue()

        (attempt,) = self.broker.attempts("a")
        assert (attempt.outcome, attempt.worker) == ("lost", "killable")

    def test_attempts_are_deleted_with_their_task(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one()))
        self.settle(self.success(self.claim_one()))
        self.broker.forget(["a"])
        self.send("a")

        assert self.broker.attempts("a") == []

    # revive

    def test_a_task_that_did_not_succeed_can_be_revived(self) -> None:
        self.send("failed", "dead")
        failed, dead = self.claim()
        self.settle(
            self.success(failed)._replace(phase=Phase.FAILED),
            self.success(dead)._replace(phase=Phase.DEAD, lost=3),
        )
        self.send("cancelled")
        self.broker.cancel(["cancelled"], keep=10)
        names = ["failed", "dead", "cancelled"]

        assert self.broker.revive(names) == names
        for id in names:
            record = self.record(id)
            assert (record.phase, record.lost, record.result) == (Phase.READY, 0, None)
            assert (record.finished, record.keep_until) == (None, None)
        assert sorted(each.message.id for each in self.claim()) == sorted(names)

    def test_a_revived_task_starts_with_all_its_retries(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one()))
        self.settle(self.success(self.claim_one())._replace(phase=Phase.DEAD))
        self.broker.revive(["a"])

        assert self.claim_one().message.retries == 0
        assert [each.outcome for each in self.broker.attempts("a")] == ["retry", "dead", "running"]

    def test_a_task_that_succeeded_or_still_waits_is_not_revived(self) -> None:
        self.finish("good")
        self.send("waiting")

        assert self.broker.revive(["good", "waiting", "unknown"]) == []
        assert self.phase("good") is Phase.SUCCEEDED

    def test_a_revived_task_can_be_tried_again_though_it_was_revoked(self) -> None:
        self.send("a")
        self.broker.cancel(["a"], keep=10)
        self.broker.revive(["a"])
        self.settle(self.retry(self.claim_one()))

        assert self.phase() is Phase.READY

    def test_an_id_that_is_given_twice_is_revived_once(self) -> None:
        self.send("a")
        self.settle(self.success(self.claim_one())._replace(phase=Phase.FAILED))

        assert self.broker.revive(["a", "a"]) == ["a"]
        assert [each.outcome for each in self.broker.attempts("a")] == ["failed"]

    def test_an_expired_task_that_is_revived_has_no_attempt_for_it(self) -> None:
        self.send("a")
        self.settle(self.retry(self.claim_one()))
        self.settle(self.success(self.claim_one())._replace(phase=Phase.EXPIRED))
        assert [each.outcome for each in self.broker.attempts("a")] == ["retry"]
        self.broker.revive(["a"])

        assert [each.outcome for each in self.broker.attempts("a")] == ["retry"]
        assert self.claim_one().attempts == 1
        outcomes = [(each.number, each.outcome) for each in self.broker.attempts("a")]
        assert outcomes == [(1, "retry"), (2, "running")]
