"""What `register`, `beat` and `unregister` mean."""

from ...brokers.base import Claim
from ...states import Phase
from .bench import Bench, ids


class Workers(Bench):
    """Who is there."""

    def test_a_registered_worker_is_seen(self) -> None:
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

    def test_a_beat_tells_when_and_what(self) -> None:
        worker = self.broker.register("one", "{}")
        self.clock.advance(5)
        self.broker.beat(worker, '{"done": 3}')

        (seen,) = self.broker.workers()
        assert (seen.started, seen.beat) == (self.clock() - 5, self.clock())
        assert seen.info == '{"done": 3}'

    def test_a_worker_that_left_is_not_seen(self) -> None:
        stays, leaves = (self.broker.register(name, "{}") for name in ("stays", "leaves"))
        self.broker.unregister(leaves)

        assert [each.id for each in self.broker.workers()] == [stays]

    def test_a_worker_that_died_is_not_seen(self) -> None:
        mortal = self.make_mortal(self.broker)
        assert [each.id for each in self.broker.workers()] == [mortal]

        self.kill_worker(self.broker, mortal)
        assert self.broker.workers() == []
        self.rescue()
        assert self.broker.workers() == []

    def test_what_a_leaving_worker_held_goes_back_uncharged(self) -> None:
        self.send("a", "b")
        old = self.claim()
        self.broker.unregister(self.worker)

        record = self.record("a")
        assert (record.phase, record.lost, record.started) == (Phase.READY, 0, None)
        assert self.settle(*map(self.success, old)) == [each.receipt for each in old]

    def test_a_leaving_worker_takes_nothing_of_the_others(self) -> None:
        self.send("a", "b")
        other = self.broker.register("worker", "{}")
        (mine,) = self.broker.claim(Claim(other, ("celery",), 1))
        self.claim()
        self.broker.unregister(self.worker)

        assert self.settle(self.success(mine)) == []
        assert self.phase("b") is Phase.READY

    def test_a_leaving_worker_leaves_what_it_finished(self) -> None:
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
