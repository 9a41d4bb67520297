"""The contract of `register`, `beat` and `unregister`."""

from ...brokers.base import Claim
from ...states import Phase
from .harness import Harness, ids


class Workers(Harness):
    """Workers are listed for as long as they are alive."""

    def test_a_registered_worker_is_listed(self) -> None:
        worker = self.broker.register("one", '{"pool": "solo"}')

        (seen,) = self.broker.workers()
        assert (seen.id, seen.name, seen.info) == (worker, "one", '{"pool": "solo"}')
        assert (seen.started, seen.beat, seen.stopped) == (self.clock(), self.clock(), None)
        assert seen.pid > 0
        assert seen.host

    def test_each_worker_has_a_number_of_its_own_whatever_its_name(self) -> None:
        first = self.broker.register("one", "{}")
        self.broker.unregister(first)

        assert self.broker.register("one", "{}") != first

    def test_a_heartbeat_updates_its_time_and_info(self) -> None:
        worker = self.broker.register("one", "{}")
        self.clock.advance(5)
        self.broker.beat(worker, '{"done": 3}')

        (seen,) = self.broker.workers()
        assert (seen.started, seen.beat) == (self.clock() - 5, self.clock())
        assert seen.info == '{"done": 3}'

    def test_an_unregistered_worker_is_not_listed(self) -> None:
        stays, leaves = (self.broker.register(name, "{}") for name in ("stays", "leaves"))
        self.broker.unregister(leaves)

        assert [each.id for each in self.broker.workers()] == [stays]

    def test_a_dead_worker_is_not_listed(self) -> None:
        worker = self.register_killable(self.broker)
        assert [each.id for each in self.broker.workers()] == [worker]

        self.kill_worker(self.broker, worker)
        assert self.broker.workers() == []
        self.rescue()
        assert self.broker.workers() == []

    def test_unregistering_releases_claims_uncharged(self) -> None:
        self.send("a", "b")
        old = self.claim()
        self.broker.unregister(self.worker)

        record = self.record("a")
        assert (record.phase, record.lost, record.started) == (Phase.READY, 0, None)
        assert self.settle(*map(self.success, old)) == [each.receipt for each in old]

    def test_unregistering_leaves_the_claims_of_other_workers_alone(self) -> None:
        self.send("a", "b")
        other = self.broker.register("worker", "{}")
        (mine,) = self.broker.claim(Claim(other, ("celery",), 1))
        self.claim()
        self.broker.unregister(self.worker)

        assert self.settle(self.success(mine)) == []
        assert self.phase("b") is Phase.READY

    def test_unregistering_leaves_finished_tasks_alone(self) -> None:
        self.finish("a")
        self.broker.unregister(self.worker)

        assert (self.phase(), self.record().worker) == (Phase.SUCCEEDED, "worker")

    def test_closing_loses_nothing_and_using_the_broker_opens_it_again(self) -> None:
        self.send("a", "b")
        (a,) = self.claim(limit=1)
        self.broker.close()
        self.broker.close()

        assert self.settle(self.success(a)) == []
        assert ids(self.claim()) == ["b"]

    def test_upkeep_loses_nothing(self) -> None:
        self.finish("a")
        self.send("b")
        self.broker.upkeep()
        self.broker.upkeep(idle=True)

        assert self.record("a").result == b"result"
        assert ids(self.claim()) == ["b"]
