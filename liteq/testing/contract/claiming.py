"""The contract of `claim`, `release` and `promote`."""

from math import nextafter

from ...brokers.base import Claim
from ...states import Phase
from .harness import Harness, ids
from .races import race


class Claiming(Harness):
    """Ready tasks are handed out in order, each to one worker."""

    def test_a_worker_of_a_thousand_queues_gets_the_most_urgent_tasks_first(self) -> None:
        queues = [f"q{n:03}" for n in range(1000)]
        for n in (3, 500, 999):
            self.send(f"a{n}", f"b{n}", queue=f"q{n:03}", priority=n)
        self.send("elsewhere", queue="other", priority=1000)

        assert ids(self.claim(limit=2, queues=queues)) == ["a999", "b999"]
        assert ids(self.claim(limit=9, queues=queues)) == ["a500", "b500", "a3", "b3"]
        assert self.claim(limit=9, queues=queues) == []

    def test_tasks_are_handed_out_in_the_order_they_were_sent(self) -> None:
        self.send("b", "c")
        self.send("a")

        assert ids(self.claim()) == ["b", "c", "a"]

    def test_a_higher_priority_goes_first(self) -> None:
        self.send("low", priority=-1)
        self.send("usual")
        self.send("high", priority=5)

        assert ids(self.claim()) == ["high", "usual", "low"]

    def test_a_higher_priority_goes_first_where_the_limit_cuts(self) -> None:
        self.send("low")
        self.send("high", priority=1)

        assert ids(self.claim(limit=1)) == ["high"]

    def test_the_order_holds_across_queues(self) -> None:
        self.send("a", queue="x")
        self.send("b", queue="y", priority=1)
        self.send("c", queue="y")
        self.send("d", queue="x", priority=1)

        assert ids(self.claim(queues=["x", "y"])) == ["b", "d", "a", "c"]

    def test_the_order_holds_across_queues_where_the_limit_cuts(self) -> None:
        self.send("a", queue="x")
        self.send("b", queue="y")
        self.send("c", queue="x", priority=1)

        assert ids(self.claim(limit=1, queues=["y", "x"])) == ["c"]
        assert ids(self.claim(limit=1, queues=["y", "x"])) == ["a"]

    def test_only_the_queues_that_were_named_are_served(self) -> None:
        self.send("a", queue="x")
        self.send("b", queue="y")

        assert ids(self.claim(queues=["y", "z"])) == ["b"]
        assert self.claim(queues=[]) == []

    def test_no_more_than_the_limit_is_handed_out(self) -> None:
        self.send("a", "b", "c")

        assert self.claim(limit=0) == []
        assert ids(self.claim(limit=2)) == ["a", "b"]
        assert ids(self.claim(limit=2)) == ["c"]

    def test_a_claimed_task_is_running_from_now_on_that_worker(self) -> None:
        self.send("a")
        self.clock.advance(5)
        self.claim_one()

        record = self.record()
        assert (record.phase, record.worker) == (Phase.RUNNING, "worker")
        assert (record.started, record.finished) == (self.clock(), None)

    def test_a_claimed_task_is_not_handed_out_again(self) -> None:
        self.send("a")
        self.claim_one()

        assert self.claim() == []

    def test_an_expired_task_is_handed_out_and_left_to_the_worker(self) -> None:
        self.send("a", expires=self.clock() - 1)

        assert ids(self.claim()) == ["a"]

    def test_racing_workers_never_get_the_same_task(self) -> None:
        many = [f"{n:03}" for n in range(200)]
        self.send(*many)

        shares = race(4, self._claim_all)

        assert sorted(id for share in shares for id in share) == many

    def _claim_all(self, number: int) -> list[str]:
        worker = self.broker.register(f"worker-{number}", "{}")
        mine: list[str] = []
        while got := self.broker.claim(Claim(worker, ("celery",), 1)):
            mine += ids(got)
        return mine

    # release

    def test_a_released_task_is_ready_again_and_keeps_its_place_in_the_order(self) -> None:
        self.send("a", "b")
        first = self.claim(limit=1)
        self.broker.release([each.receipt for each in first])

        assert ids(self.claim()) == ["a", "b"]

    def test_a_release_charges_nothing(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.broker.release([delivery.receipt])

        record = self.record()
        assert (record.lost, record.started, record.message.retries) == (0, None, 0)

    def test_a_release_voids_the_receipt(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        new = self.claim_one()

        assert new.receipt != old.receipt
        assert self.settle(self.success(old)) == [old.receipt]
        assert self.settle(self.success(new)) == []

    def test_a_stale_receipt_releases_nothing(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        self.claim_one()
        self.broker.release([old.receipt])

        assert self.phase() is Phase.RUNNING

    def test_a_finished_task_cannot_be_released(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))
        self.broker.release([delivery.receipt])

        assert self.phase() is Phase.SUCCEEDED

    # promote

    def test_a_scheduled_task_is_not_handed_out(self) -> None:
        self.send("a", eta=self.clock() + 10)

        assert self.claim() == []

    def test_a_task_becomes_ready_at_its_eta_and_not_before(self) -> None:
        eta = self.clock() + 10
        self.send("a", eta=eta)

        self.clock.now = nextafter(eta, 0)
        self.broker.promote()
        assert self.phase() is Phase.SCHEDULED

        self.clock.now = eta
        self.broker.promote()
        assert ids(self.claim()) == ["a"]

    def test_promote_returns_when_the_next_task_is_due(self) -> None:
        assert self.broker.promote() is None

        now = self.clock()
        self.send("late", eta=now + 20)
        self.send("soon", eta=now + 10)
        assert self.broker.promote() == now + 10

        self.clock.advance(10)
        assert self.broker.promote() == now + 20

        self.clock.advance(10)
        assert self.broker.promote() is None

    def test_all_due_tasks_become_ready_however_many(self) -> None:
        self.send(*(str(n) for n in range(1100)), eta=self.clock() + 1)
        self.clock.advance(1)
        self.broker.promote()

        assert len(self.claim(limit=2000)) == 1100

    def test_a_promoted_task_keeps_its_place_in_the_order(self) -> None:
        self.send("a", eta=self.clock() + 1)
        self.send("b")
        self.clock.advance(1)
        self.broker.promote()

        assert ids(self.claim()) == ["a", "b"]
