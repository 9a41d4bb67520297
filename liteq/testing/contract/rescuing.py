"""The contract of `rescue`."""

from collections.abc import Sequence

from ...brokers.base import Claim, Rescue
from ...model.message import Delivery, Receipt
from ...states import Phase
from .harness import Harness, ids, rescuing
from .races import race


class Rescuing(Harness):
    """Claims of dead workers are taken back, and a task that kills its process is stopped."""

    def test_the_claims_of_a_dead_worker_are_ready_again(self) -> None:
        self.send("a", "b")
        self.claim_and_die()

        assert self.rescue() == ["a", "b"]
        record = self.record("a")
        assert (record.phase, record.started) == (Phase.READY, None)

    def test_a_rescue_returns_the_tasks_as_they_are_now(self) -> None:
        self.send("a")
        self.claim_and_die()

        (record,) = self.broker.rescue(rescuing(self.clock))
        assert record == self.record()

    def test_a_rescue_charges_a_lost_process(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.rescue()

        assert self.record().lost == 1
        assert self.claim_one().lost == 1

    def test_only_started_tasks_are_charged(self) -> None:
        self.send("a", "b")
        held = {each.message.id: each.receipt for each in self.claim_and_die()}

        assert self.rescue(max_lost=1, started=[held["a"].token]) == ["a", "b"]
        assert (self.phase("a"), self.phase("b")) == (Phase.DEAD, Phase.READY)
        assert self.record("b").lost == 0

    def test_no_task_is_set_aside_for_a_death_that_it_shared(self) -> None:
        # Both ran, and one of them is innocent.
        self.send("a", "b")
        for _ in range(4):
            tokens = [each.receipt.token for each in self.claim_and_die()]
            assert self.rescue(max_lost=2, started=tokens) == ["a", "b"]
        assert [(self.phase(id), self.record(id).lost) for id in "ab"] == [(Phase.READY, 4)] * 2

        self.send("c")
        (first, *_) = self.claim_and_die()
        self.rescue(max_lost=2, started=[first.receipt.token])
        assert [self.phase(id) for id in "abc"] == [Phase.DEAD, Phase.READY, Phase.READY]

    def test_a_task_of_which_it_is_unknown_whether_it_ran_is_not_set_aside(self) -> None:
        self.send("a", "b")
        self.claim_and_die()
        self.rescue(max_lost=1)

        assert [(self.phase(id), self.record(id).lost) for id in "ab"] == [(Phase.READY, 1)] * 2

    def test_a_restart_of_the_machine_charges_nothing(self) -> None:
        self.send("a", "b")
        tokens = [each.receipt.token for each in self.claim_and_die(with_machine=True)]
        assert self.rescue(max_lost=1, started=tokens[:1]) == ["a", "b"]

        assert [(self.phase(id), self.record(id).lost) for id in "ab"] == [(Phase.READY, 0)] * 2

    def test_a_task_that_may_run_only_once_fails_with_its_machine(self) -> None:
        """Allow for what was last written of it to be lost with the power."""
        self.send("a", acks_late=False)
        self.claim_and_die(with_machine=True)
        self.rescue(started=[])

        assert self.phase() is Phase.FAILED

    def test_a_rescue_is_decided_by_the_dead_worker_s_info_and_its_claims(self) -> None:
        self.send("a", "b", acks_late=False)
        held = self.claim_and_die()
        asked: list[tuple[str, list[Receipt], bool]] = []

        def decide(info: str, deliveries: Sequence[Delivery], restarted: bool) -> Rescue:
            asked.append((info, [each.receipt for each in deliveries], restarted))
            return Rescue([], [self.success(each) for each in deliveries])

        self.broker.rescue(decide)

        assert asked == [("{}", [each.receipt for each in held], False)]
        assert (self.phase("a"), self.phase("b")) == (Phase.SUCCEEDED, Phase.SUCCEEDED)

    def test_the_claims_of_a_dead_worker_are_decided_in_the_order_of_claiming(self) -> None:
        # Where nothing tells which had started, the oldest claims are taken to have run.
        self.send("later", eta=self.clock() + 1)
        self.send("low")
        self.send("high", priority=1)
        self.send("next")
        worker = self.register_killable(self.broker)
        claim = Claim(worker, ("celery",), 2)
        held = self.broker.claim(claim)
        self.clock.advance(1)
        self.broker.promote()
        held += self.broker.claim(claim)
        self.kill_worker(self.broker, worker)
        asked: list[Receipt] = []

        def decide(info: str, deliveries: Sequence[Delivery], restarted: bool) -> Rescue:
            asked.extend(each.receipt for each in deliveries)
            return Rescue(asked, [])

        self.broker.rescue(decide)

        assert ids(held) == ["high", "low", "later", "next"]
        assert asked == [each.receipt for each in held]

    def test_a_task_that_may_run_only_once_is_not_run_again_on_a_guess(self) -> None:
        # The task may have ended, and the next one started, before that could be written.
        self.send("a", acks_late=False)
        self.claim_and_die()

        self.rescue(started=[])
        assert self.phase() is Phase.FAILED

    def test_a_rescued_task_keeps_its_place_in_the_order(self) -> None:
        self.send("a", "b")
        self.claim_and_die()
        self.send("c")
        self.rescue()

        assert [each.message.id for each in self.claim()] == ["a", "b", "c"]

    def test_the_receipts_of_a_rescued_worker_are_void(self) -> None:
        self.send("a")
        (old,) = self.claim_and_die()
        self.rescue()

        assert self.settle(self.success(old)) == [old.receipt]
        new = self.claim_one()
        assert self.settle(self.success(old)) == [old.receipt]
        assert self.settle(self.success(new)) == []

    def test_a_settlement_of_a_dead_worker_counts_until_its_rescue(self) -> None:
        # Its last settlement was on the way when it died.
        self.send("a")
        (delivery,) = self.claim_and_die()

        assert self.settle(self.success(delivery)) == []
        assert self.rescue() == []
        assert self.phase() is Phase.SUCCEEDED

    def test_a_task_that_cost_too_many_processes_is_dead(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.rescue(max_lost=2)
        self.claim_and_die()

        assert self.rescue(max_lost=2, keep=10) == ["a"]
        record = self.record()
        assert (record.phase, record.lost) == (Phase.DEAD, 2)
        assert (record.finished, record.keep_until) == (self.clock(), self.clock() + 10)
        assert record.traceback
        assert self.claim() == []

    def test_a_state_that_a_dead_task_had_reported_is_cleared(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.broker.report("a", "PROGRESS", b"50", "json")
        self.rescue(max_lost=1)

        record = self.record()
        assert (record.reported, record.result, record.result_serializer) == (None, None, None)

    def test_a_dead_task_may_be_kept_for_ever(self) -> None:
        self.send("a")
        self.claim_and_die()
        self.rescue(max_lost=1, keep=None)

        assert (self.phase(), self.record().keep_until) == (Phase.DEAD, None)

    def test_a_task_that_may_run_only_once_fails_when_its_worker_dies(self) -> None:
        self.send("a", acks_late=False)
        self.claim_and_die()

        assert self.rescue(max_lost=3, keep=10) == ["a"]
        record = self.record()
        assert (record.phase, record.lost) == (Phase.FAILED, 1)
        assert (record.finished, record.keep_until) == (self.clock(), self.clock() + 10)
        assert record.traceback
        assert self.claim() == []

    def test_a_living_worker_keeps_its_claims_however_late_its_heartbeat(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.miss_heartbeats(self.broker, self.worker)

        assert [each.id for each in self.broker.workers()] == [self.worker]
        assert self.rescue() == []
        assert self.settle(self.success(delivery)) == []

    def test_a_living_worker_keeps_its_claims_when_the_clock_goes_back(self) -> None:
        self.send("a")
        self.claim_one()
        self.clock.advance(-1_000_000)

        assert self.rescue() == []

    def test_only_the_claims_of_dead_workers_are_rescued(self) -> None:
        self.send("a")
        mine = self.claim_one()
        self.send("b")
        self.claim_and_die()

        assert self.rescue() == ["b"]
        assert self.settle(self.success(mine)) == []

    def test_a_claim_is_rescued_once(self) -> None:
        self.send("a")
        self.claim_and_die()

        assert self.rescue() == ["a"]
        assert self.rescue() == []
        assert self.record().lost == 1

    def test_of_racing_rescuers_one_gets_the_claim(self) -> None:
        self.send("a", "b")
        self.claim_and_die()

        rescued = race(3, lambda _: self.rescue())

        assert sorted(rescued) == [[], [], ["a", "b"]]
        assert self.record().lost == 1

    def test_an_idle_worker_that_dies_charges_nothing(self) -> None:
        self.send("a")
        self.kill_worker(self.broker, self.register_killable(self.broker))

        assert self.rescue() == []
        assert self.record().lost == 0
