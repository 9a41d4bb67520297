"""The contract of limits: how many tasks of a key may run at once."""

from ...model.graph import Graph, Group, Place
from ...states import Phase
from .harness import ids
from .limits_harness import ONE, LimitsHarness


class Limits(LimitsHarness):
    """Tasks wait for their limits, and whatever ends one lets the next one pass."""

    # at once

    def test_no_more_tasks_of_a_key_can_be_claimed_than_may_run_at_once(self) -> None:
        self.send_limited("a", "b", "c", "d", limits=[{"key": "k", "running": 2}])

        assert ids(self.claim()) == ["a", "b"]
        assert self.claim() == []
        assert self.blocked() == {"c": "k", "d": "k"}

    def test_a_task_that_waits_says_for_which_limit_and_since_when(self) -> None:
        self.send_limited("a", "b")
        self.clock.advance(5.0)

        record = self.record("b")

        assert record.phase is Phase.WAITING
        assert (record.limit, record.since) == ("k", self.clock() - 5.0)
        assert (self.record("a").limit, self.record("a").since) == (None, None)

    def test_the_end_of_a_task_lets_the_next_one_pass_in_the_same_transaction(self) -> None:
        self.send_limited("a", "b", "c")
        first = self.claim_one()

        settled = self.broker.settle([self.success(first)], self.claim_request())

        assert ids(settled.claimed) == ["b"]
        assert self.blocked() == {"c": "k"}

    def test_a_task_passes_whatever_the_end_of_the_one_before(self) -> None:
        for end in (Phase.FAILED, Phase.DEAD, Phase.EXPIRED, Phase.CANCELLED):
            name = end.name
            self.send_limited(name, f"after {name}")
            (first,) = self.claim()
            self.settle(self.success(first)._replace(phase=end))
            (second,) = self.claim()
            assert second.id == f"after {name}"
            self.settle(self.success(second))

    def test_tasks_pass_by_priority_and_then_in_the_order_of_sending(self) -> None:
        self.send_limited("running")
        (running,) = self.claim()
        self.send_limited("low", priority=-1)
        self.send_limited("first", "second")
        self.send_limited("high", priority=5)

        order = []
        while running is not None:
            claimed = self.broker.settle([self.success(running)], self.claim_request()).claimed
            order += ids(claimed)
            running = claimed[0] if claimed else None  # type: ignore[assignment]

        assert order == ["high", "first", "second", "low"]

    def test_keys_do_not_wait_for_each_other(self) -> None:
        self.send_limited("a", "b")
        self.send_limited("c", limits=[{"key": "other", "running": 1}])
        self.send("d")

        assert ids(self.claim()) == ["a", "c", "d"]

    def test_a_task_counts_as_many_as_it_costs(self) -> None:
        self.send_limited("big", limits=[{"key": "k", "running": 3, "cost": 2}])
        self.send_limited("bigger", limits=[{"key": "k", "running": 3, "cost": 3}])
        self.send_limited("small", limits=[{"key": "k", "running": 3}])

        (big,) = self.claim()
        assert self.blocked() == {"bigger": "k", "small": "k"}  # it does not overtake
        self.settle(self.success(big))
        (bigger,) = self.claim()
        assert self.claim() == []
        self.settle(self.success(bigger))
        assert ids(self.claim()) == ["small"]

    def test_a_known_id_is_not_asked_for_twice(self) -> None:
        self.send_limited("a", "b")
        self.send_limited("a", "b")

        (a,) = self.claim()
        self.settle(self.success(a))
        (b,) = self.claim()
        self.settle(self.success(b))
        assert self.broker.limits() == []

    def test_a_task_that_is_sent_under_its_id_again_waits_for_its_limits(self) -> None:
        self.finish("a")
        self.clock.advance(1.0)
        self.send_limited("busy")
        message = self.limited("a", ONE)

        assert self.broker.enqueue_or_replace(message, self.clock())
        assert self.blocked() == {"a": "k"}
        assert self.broker.enqueue_or_replace(message, self.clock())
        (busy,) = self.claim()
        self.settle(self.success(busy))
        assert ids(self.claim()) == ["a"]

    def test_limits_that_cannot_be_read_let_a_task_pass_to_its_worker(self) -> None:
        for n, limits in enumerate(['"k"', "[7]", '[{"key": ""}]', '[{"key": "k", "rate": "x"}]']):
            self.broker.enqueue([self.message(str(n), options=f'{{"limits": {limits}}}')])

        assert self.blocked() == {}

    # what gives a place back

    def test_a_task_that_runs_again_later_gives_its_place_back_and_asks_once_more(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()

        self.settle(self.again(a, eta=self.clock() + 10.0))

        (b,) = self.claim()
        self.clock.advance(10.0)
        self.broker.promote()
        assert self.blocked() == {"a": "k"}
        self.settle(self.success(b))
        assert ids(self.claim()) == ["a"]

    def test_a_task_that_runs_again_at_once_stands_where_it_stood(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()

        self.settle(self.again(a))

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_retry_may_have_other_limits_or_none(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()
        again = self.again(a)
        assert again.retry is not None

        self.settle(again._replace(retry=again.retry._replace(options=None)))

        assert ids(self.claim()) == ["a", "b"]

    def test_a_task_that_sleeps_or_waits_for_an_event_holds_no_place(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()

        wait = self.suspend(a, self.pending("event", "wait"), tied=a.tied)
        self.settle(wait)

        (b,) = self.claim()
        assert b.id == "b"
        self.emit("event")
        assert self.blocked() == {"a": "k"}
        self.settle(self.success(b))
        (again,) = self.claim()
        assert again.id == "a"
        self.settle(self.success(again))
        assert self.broker.limits() == []

    def test_an_event_that_is_there_already_does_not_let_a_task_pass(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()
        self.emit("event")

        self.settle(self.suspend(a, self.pending("event", "wait"), tied=a.tied))

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_claim_that_is_released_keeps_its_place(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()

        self.broker.release([a.receipt])

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_task_of_a_dead_worker_gives_its_place_back(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim_and_die()
        self.rescue(max_lost=1)

        assert a.id == "a"
        assert self.phase("a") is Phase.DEAD
        assert self.ready() == ["b"]

    def test_a_task_of_a_dead_worker_that_runs_again_asks_once_more(self) -> None:
        self.send_limited("a", "b")
        self.claim_and_die()
        self.rescue()

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_claim_of_a_dead_worker_that_had_not_started_keeps_its_place(self) -> None:
        self.send_limited("a", "b")
        self.claim_and_die()
        self.rescue(started=[])

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_worker_that_stops_gives_back_what_keeps_its_place(self) -> None:
        self.send_limited("a", "b")
        self.claim_one()

        self.broker.unregister(self.worker)

        assert self.ready() == ["a"]
        assert self.blocked() == {"b": "k"}

    def test_a_settlement_that_is_refused_gives_no_place_back(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()
        self.broker.release([a.receipt])
        self.claim_one()

        assert self.settle(self.success(a)) == [a.receipt]
        assert self.blocked() == {"b": "k"}

    def test_revoking_a_task_that_has_passed_or_waits_lets_the_next_one_pass(self) -> None:
        self.send_limited("a", "b", "c")

        self.broker.cancel(["a", "b"], 60.0)

        assert self.phase("b") is Phase.CANCELLED
        assert self.ready() == ["c"]

    def test_revoking_a_running_task_lets_none_pass_before_it_has_ended(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()

        self.broker.cancel(["a"], 60.0)

        assert self.blocked() == {"b": "k"}
        self.settle(self.again(a))
        assert self.phase("a") is Phase.CANCELLED
        assert self.ready() == ["b"]

    def test_purging_drops_tasks_that_wait_for_limits_too(self) -> None:
        self.send_limited("running")
        (running,) = self.claim()
        self.send_limited("waiting", "more")
        self.send_limited("elsewhere", queue="other")

        assert self.broker.purge(["celery"]) == 2

        self.settle(self.success(running))
        assert self.ready() == ["elsewhere"]

    def test_purging_tasks_that_have_passed_lets_others_pass(self) -> None:
        self.send_limited("a")
        self.send_limited("b", queue="other")

        assert self.broker.purge(["celery"]) == 1
        assert self.ready() == ["b"]

    def test_an_expired_task_passes_to_be_ended_and_does_not_count(self) -> None:
        self.send_limited("running")
        (running,) = self.claim()
        self.send_limited("old", expires=self.clock() + 1.0)
        self.send_limited("new")
        self.clock.advance(2.0)

        self.settle(self.success(running))

        assert self.ready() == ["old", "new"]
        old, new = self.claim()
        self.settle(self.success(old)._replace(phase=Phase.EXPIRED), self.success(new))
        assert self.broker.limits() == []

    def test_a_revived_task_waits_for_its_limits(self) -> None:
        self.send_limited("a")
        (a,) = self.claim()
        self.settle(self.success(a)._replace(phase=Phase.FAILED))
        self.send_limited("busy")
        self.broker.revive(["a"])

        assert self.blocked() == {"a": "k"}
        (busy,) = self.claim()
        self.settle(self.success(busy))
        assert self.ready() == ["a"]

    def test_no_limit_is_left_when_all_tasks_have_ended(self) -> None:
        limits = [ONE, {"key": "x", "name": "{}", "running": 2}]
        self.send_limited("a", "b", "c", limits=limits)
        while claimed := self.claim():
            self.settle(*map(self.success, claimed))

        assert self.broker.limits() == []

    # workflows

    def test_a_task_of_a_chain_waits_for_its_limits_once_it_is_woken(self) -> None:
        self.send_limited("busy")
        message = self.limited("then", ONE)
        self.broker.enqueue_graph(
            Graph((self.message("first"), message), (Place(followed=True), Place(waits="first")))
        )
        busy, first = self.claim()
        assert self.record("then").limit is None

        self.settle(self.success(first))

        assert self.blocked() == {"then": "k"}
        self.settle(self.success(busy))
        assert self.ready() == ["then"]

    def test_a_woken_task_that_waits_for_a_limit_is_not_woken_again(self) -> None:
        message = self.limited("then", ONE)
        self.broker.enqueue_graph(
            Graph((self.message("first"), message), (Place(followed=True), Place(waits="first")))
        )
        (first,) = self.claim()
        self.settle(self.success(first)._replace(phase=Phase.FAILED))
        self.send_limited("busy")
        self.broker.revive(["then"])
        assert self.blocked() == {"then": "k"}

        self.broker.revive(["first"])
        first, busy = self.claim()
        self.settle(self.success(first))

        assert self.blocked() == {"then": "k"}
        self.settle(self.success(busy))
        assert self.ready() == ["then"]

    def test_members_of_a_group_wait_for_their_limits_and_the_group_for_them(self) -> None:
        members = tuple(self.limited(id, ONE) for id in "abc")
        places = tuple(Place(group="g", position=n) for n in range(3))
        body = self.message("body")
        self.broker.enqueue_graph(
            Graph(
                (*members, body),
                (*places, Place(waits="g", barrier=True, takes=True)),
                (Group("g"),),
            )
        )

        order = []
        while claimed := self.claim():
            order += ids(claimed)
            assert len(claimed) == 1
            self.settle(*map(self.success, claimed))

        assert order == ["a", "b", "c", "body"]

    def test_a_revoked_member_that_waits_for_a_limit_ends_its_group(self) -> None:
        members = tuple(self.limited(id, ONE) for id in "ab")
        places = tuple(Place(group="g", position=n) for n in range(2))
        graph = Graph(
            (*members, self.message("body")),
            (*places, Place(waits="g", barrier=True)),
            (Group("g", forgiving=True),),
        )
        self.broker.enqueue_graph(graph)
        (a,) = self.claim()
        self.broker.cancel(["b"], 60.0)
        self.settle(self.success(a))

        assert self.ready() == ["body"]

    def test_a_task_with_an_eta_asks_when_it_is_due(self) -> None:
        self.send_limited("later", eta=self.clock() + 10.0)
        self.send_limited("now")
        assert self.ready() == ["now"]

        self.clock.advance(10.0)
        self.broker.promote()

        assert self.blocked() == {"later": "k"}

    def test_thousands_can_be_sent_at_once_and_pass_one_after_the_other(self) -> None:
        self.send_limited(*(f"t{n:04}" for n in range(1200)), limits=[{"key": "k", "running": 3}])

        assert self.ready() == ["t0000", "t0001", "t0002"]
        assert self.limit().waiting == 1197
        self.settle(*map(self.success, self.claim()))
        assert self.ready() == ["t0003", "t0004", "t0005"]
