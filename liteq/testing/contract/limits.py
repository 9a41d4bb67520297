"""The contract of limits: how many tasks of a key may run at once, or start in a time."""

import json
from typing import Any

from ...brokers.base import Claim, LimitRule, LimitState
from ...model.graph import Graph, Group, Place
from ...model.message import Delivery, Message
from ...model.outcome import Settlement
from ...states import Phase
from .harness import ids
from .step_harness import StepsHarness

_ONE = {"key": "k", "running": 1}
_SLOW = {"key": "r", "rate": 0.1}  # one in ten seconds


class LimitsHarness(StepsHarness):
    """Short verbs for tasks with limits."""

    def limited(self, id: str, *limits: dict[str, Any], **fields: Any) -> Message:
        """Return a message of a task with these limits."""
        return self.message(id, options=json.dumps({"limits": list(limits)}), **fields)

    def send_limited(self, *ids: str, limits: Any = (_ONE,), **fields: Any) -> None:
        """Send a task with limits for each id."""
        self.broker.enqueue([self.limited(id, *limits, **fields) for id in ids])

    def success(self, delivery: Delivery, result: bytes = b"result", **fields: Any) -> Settlement:
        """Return the settlement of a task that succeeded now, and of all that follows."""
        return super().success(delivery, result, **{"tied": delivery.tied, **fields})

    def again(self, delivery: Delivery, eta: float | None = None) -> Settlement:
        """Return the settlement of a task that is to run again."""
        return self.retry(delivery, eta)._replace(tied=delivery.tied)

    def ready(self) -> list[str]:
        """Return the ids of the tasks that a worker could claim."""
        found = self.broker.listing([Phase.READY], 100)
        return [each.message.id for each in found]

    def blocked(self) -> dict[str, str | None]:
        """Return for which limits tasks wait, by id."""
        found = self.broker.listing([Phase.WAITING], 100)
        return {each.message.id: each.limit for each in found}

    def limit(self, key: str = "k") -> LimitState:
        """Return a limit, which must exist."""
        return next(each for each in self.broker.limits() if each.key == key)


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
        message = self.limited("a", _ONE)

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
        limits = [_ONE, {"key": "x", "name": "{}", "running": 2}]
        self.send_limited("a", "b", "c", limits=limits)
        while claimed := self.claim():
            self.settle(*map(self.success, claimed))

        assert self.broker.limits() == []

    # workflows

    def test_a_task_of_a_chain_waits_for_its_limits_once_it_is_woken(self) -> None:
        self.send_limited("busy")
        message = self.limited("then", _ONE)
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
        message = self.limited("then", _ONE)
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
        members = tuple(self.limited(id, _ONE) for id in "abc")
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
        members = tuple(self.limited(id, _ONE) for id in "ab")
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

    # rates

    def test_tasks_pass_a_rate_one_after_the_other(self) -> None:
        self.send_limited("a", "b", "c", limits=[_SLOW])
        starts = []
        for _ in range(40):
            claimed = self.claim()
            starts += [(each.id, self.clock()) for each in claimed]
            self.settle(*map(self.success, claimed))
            self.clock.advance(1.0)
            self.broker.promote()

        (_, first), *_ = starts
        assert starts == [("a", first), ("b", first + 10.0), ("c", first + 20.0)]

    def test_the_next_task_of_a_rate_is_announced_as_an_eta_is(self) -> None:
        self.send_limited("a", "b", limits=[_SLOW])
        assert self.broker.promote() is not None
        (a,) = self.claim()
        self.settle(self.success(a))

        assert self.broker.promote() == self.clock() + 10.0
        self.clock.advance(10.0)
        self.broker.promote()
        assert self.ready() == ["b"]

    def test_as_many_as_the_burst_start_at_once(self) -> None:
        self.send_limited(*"abcdef", limits=[{"key": "r", "rate": 0.1, "burst": 3}])

        assert ids(self.claim()) == ["a", "b", "c"]
        self.clock.advance(10.0)
        self.broker.promote()
        assert ids(self.claim()) == ["d"]

    def test_no_more_than_the_burst_pass_while_no_worker_claims(self) -> None:
        self.send_limited(*"abcdef", limits=[{"key": "r", "rate": 0.1, "burst": 2}])
        for _ in range(1000):
            self.clock.advance(1.0)
            self.broker.promote()

        assert self.ready() == ["a", "b"]
        assert ids(self.claim()) == ["a", "b"]
        self.broker.promote()
        assert self.ready() == []  # the bucket holds two, and these have taken them

    def test_what_passed_long_ago_counts_from_when_it_starts(self) -> None:
        self.send_limited("a", "b", limits=[_SLOW])
        self.clock.advance(1000.0)
        self.broker.promote()
        (a,) = self.claim()
        self.broker.promote()
        assert self.ready() == []
        self.settle(self.success(a))
        assert self.ready() == []
        self.clock.advance(10.0)
        self.broker.promote()
        assert self.ready() == ["b"]

    def test_a_long_task_does_not_keep_the_next_one_of_a_rate_waiting(self) -> None:
        self.send_limited("long", "next", limits=[_SLOW])
        self.claim_one()
        self.clock.advance(10.0)
        self.broker.promote()

        assert self.ready() == ["next"]

    def test_a_claim_of_a_rate_that_is_released_counts_when_it_starts(self) -> None:
        self.send_limited("a", "b", "c", limits=[_SLOW])
        (a,) = self.claim()
        self.broker.promote()  # counts its start
        self.broker.release([a.receipt])
        self.clock.advance(100.0)
        self.broker.promote()
        assert self.ready() == ["a"]
        (a,) = self.claim()
        self.settle(self.success(a))
        self.clock.advance(9.0)
        self.broker.promote()
        assert self.ready() == []
        self.clock.advance(1.0)
        self.broker.promote()
        assert self.ready() == ["b"]

    def test_a_retry_counts_for_the_rate_as_another_start(self) -> None:
        self.send_limited("a", limits=[_SLOW])
        (a,) = self.claim()
        self.settle(self.again(a))

        assert self.ready() == []
        self.clock.advance(10.0)
        self.broker.promote()
        assert self.ready() == ["a"]

    def test_a_rate_is_remembered_when_no_task_uses_it(self) -> None:
        self.send_limited("a", limits=[_SLOW])
        (a,) = self.claim()
        self.settle(self.success(a))
        self.clock.advance(5.0)
        self.broker.sweep(100)
        self.send_limited("b", limits=[_SLOW])
        assert self.ready() == []
        self.clock.advance(5.0)
        self.broker.promote()
        (b,) = self.claim()
        self.settle(self.success(b))

        self.clock.advance(10.0)
        self.broker.sweep(100)
        assert self.broker.limits() == []

    def test_a_task_of_a_rate_has_a_mark_by_which_it_is_handed_out_alone(self) -> None:
        self.send_limited("a", limits=[_SLOW])
        self.send_limited("b")
        self.send("c")

        assert [each.tied for each in self.claim()] == [6, 2, 0]

    # several limits

    def test_a_task_passes_only_when_all_its_limits_have_room(self) -> None:
        both = [{"key": "k", "running": 1}, {"key": "l", "running": 1}]
        self.send_limited("k", limits=both[:1])
        self.send_limited("l", limits=both[1:])
        self.send_limited("both", limits=both)
        k, l = self.claim()  # noqa: E741 - the name of its limit

        self.settle(self.success(k))
        assert self.ready() == []
        self.settle(self.success(l))
        assert self.ready() == ["both"]

    def test_a_task_that_waits_for_one_limit_takes_no_room_of_another(self) -> None:
        both = [{"key": "k", "running": 1}, {"key": "l", "running": 1}]
        self.send_limited("l", limits=both[1:])
        self.send_limited("both", limits=both)
        self.send_limited("k", limits=both[:1])

        assert self.blocked() == {"both": "l"}
        assert ids(self.claim()) == ["l", "k"]

    def test_tasks_whose_limits_are_named_in_another_order_do_not_wait_for_ever(self) -> None:
        both = [{"key": "k", "running": 1}, {"key": "l", "running": 1}]
        self.send_limited("a", "b", limits=both)
        self.send_limited("c", "d", limits=both[::-1])
        order = []
        while claimed := self.claim():
            order += ids(claimed)
            self.settle(*map(self.success, claimed))

        assert sorted(order) == ["a", "b", "c", "d"]
        assert self.broker.limits() == []

    def test_a_rate_is_not_used_up_by_a_task_that_waits_for_another_limit(self) -> None:
        self.send_limited("busy")
        self.send_limited("waits", limits=[_SLOW, _ONE])
        self.send_limited("free", limits=[_SLOW])

        assert ids(self.claim()) == ["busy", "free"]

    def test_a_task_that_was_denied_by_turns_for_a_minute_keeps_the_room_that_it_gets(self) -> None:
        both = [{"key": "k", "running": 1}, {"key": "l", "running": 1}]
        busy = {}
        for key, limit in zip("kl", both, strict=True):
            self.send_limited(f"{key}0", limits=[limit])
            busy[key] = self.claim_one()
        self.send_limited("both", limits=both)
        for n in range(1, 10):  # one of the two is always busy
            for key, limit in zip("kl", both, strict=True):
                self.send_limited(f"{key}{n}", limits=[limit])
        for turn in range(16):
            self.clock.advance(10.0)
            key = "kl"[turn % 2]
            self.settle(self.success(busy.pop(key)))
            for claimed in self.claim():
                if claimed.id == "both":
                    assert turn < 10
                    return
                busy[claimed.id[0]] = claimed
        raise AssertionError("it never ran")

    # what users set

    def test_a_limit_that_is_set_holds_at_once_and_for_what_is_sent_later(self) -> None:
        self.send_limited("a", "b", "c", "d")
        self.broker.set_limit("k", LimitRule(running=3), fixed=True)

        assert self.ready() == ["a", "b", "c"]
        self.broker.set_limit("k", LimitRule(running=2), fixed=True)
        assert self.ready() == ["a", "b"]
        self.send_limited("e")
        assert self.limit().rule == LimitRule(running=2)
        assert self.limit().fixed

    def test_a_limit_that_is_set_for_a_name_holds_for_all_its_keys(self) -> None:
        seven = {"key": "acct:7", "name": "acct:{}", "running": 1}
        eight = {"key": "acct:8", "name": "acct:{}", "running": 1}
        self.send_limited("a", "b", limits=[seven])
        self.broker.set_limit("acct:{}", LimitRule(running=2), fixed=True)
        self.send_limited("c", "d", limits=[eight])
        assert self.ready() == ["a", "b", "c", "d"]

        self.broker.set_limit("acct:8", LimitRule(running=1), fixed=True)
        assert self.ready() == ["a", "b", "c"]
        self.broker.set_limit("acct:{}", LimitRule(running=1), fixed=True)
        assert self.ready() == ["a", "c"]
        assert self.limit("acct:8").rule == LimitRule(running=1)

    def test_a_limit_that_is_no_longer_set_is_that_of_the_code(self) -> None:
        self.broker.set_limit("k", LimitRule(running=3), fixed=True)
        self.send_limited("a", "b", "c")
        self.broker.set_limit("k", LimitRule(running=1), fixed=False)

        assert self.ready() == ["a"]
        self.send_limited("d", limits=[{"key": "k", "running": 2}])
        assert self.ready() == ["a", "b"]

    def test_a_task_that_costs_more_than_a_limit_which_was_lowered_runs_alone(self) -> None:
        self.send_limited("busy", limits=[{"key": "k", "running": 3}])
        self.send_limited("big", limits=[{"key": "k", "running": 3, "cost": 3}])
        self.broker.set_limit("k", LimitRule(running=2), fixed=True)
        (busy,) = self.claim()
        self.settle(self.success(busy))

        (big,) = self.claim()
        assert big.id == "big"
        self.settle(self.success(big))
        assert self.limit().passed == 0

    def test_a_lower_limit_does_not_end_what_runs(self) -> None:
        self.send_limited("a", "b", "c", limits=[{"key": "k", "running": 2}])
        a, b = self.claim()
        self.broker.set_limit("k", LimitRule(running=1), fixed=True)

        self.settle(self.success(a))
        assert self.ready() == []
        self.settle(self.success(b))
        assert self.ready() == ["c"]

    def test_none_passes_a_limit_that_is_held(self) -> None:
        self.send_limited("a", "b", limits=[{"key": "k", "running": 5}])
        self.broker.hold_limit("k", self.clock() + 60.0)

        assert self.ready() == []  # those that had passed wait once more
        self.send_limited("c", limits=[{"key": "k", "running": 5}])
        assert self.broker.promote() == self.clock() + 60.0
        self.clock.advance(59.0)
        self.broker.promote()
        assert self.claim() == []
        self.clock.advance(1.0)
        self.broker.promote()
        assert ids(self.claim()) == ["a", "b", "c"]

    def test_a_hold_can_be_ended(self) -> None:
        self.send_limited("a")
        self.broker.hold_limit("k", self.clock() + 60.0)
        self.broker.hold_limit("k", None)

        assert self.ready() == ["a"]

    def test_a_limit_can_be_held_before_any_task_has_it(self) -> None:
        self.broker.hold_limit("k", self.clock() + 60.0)
        self.send_limited("a")
        assert self.ready() == []
        self.clock.advance(60.0)
        self.broker.promote()
        (a,) = self.claim()
        self.settle(self.success(a))
        assert self.broker.limits() == []

    def test_limits_are_listed_with_what_uses_them(self) -> None:
        self.send_limited(
            "a", "b", "c", limits=[{"key": "acct:7", "name": "acct:{}", "running": 1}]
        )
        self.clock.advance(5.0)
        self.broker.set_limit("z", LimitRule(rate=2.0, burst=3), fixed=True)

        first, second = self.broker.limits()

        assert first == LimitState(
            "acct:7",
            "acct:{}",
            LimitRule(running=1),
            fixed=False,
            passed=1,
            waiting=2,
            since=self.clock() - 5.0,
        )
        assert second == LimitState("z", "z", LimitRule(rate=2.0, burst=3), fixed=True)

    def test_the_last_code_that_sends_a_task_says_what_its_limit_is(self) -> None:
        self.send_limited("a", "b")
        self.send_limited("c", limits=[{"key": "k", "running": 2}])

        assert self.ready() == ["a", "b"]
        assert self.limit().rule == LimitRule(running=2)

    def test_a_worker_is_notified_of_a_task_that_passes(self) -> None:
        self.send_limited("a", "b")
        (a,) = self.claim()
        other = self.broker.register("other", "{}")
        listener = self.broker.work_listener(other)
        self.broker.claim(Claim(other, ("celery",), 1))
        listener.clear()

        self.settle(self.success(a))

        assert ids(self.broker.claim(Claim(other, ("celery",), 1))) == ["b"]
        listener.close()
