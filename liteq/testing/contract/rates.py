"""The contract of rates, of several limits of one task, and of what users set about limits."""

from ...brokers.base import Claim
from ...model.limit import LimitRule, LimitState
from .harness import ids
from .limits_harness import ONE, SLOW, LimitsHarness


class Rates(LimitsHarness):
    """Tasks pass one after the other; and users may say how many, and when."""

    # rates

    def test_tasks_pass_a_rate_one_after_the_other(self) -> None:
        self.send_limited("a", "b", "c", limits=[SLOW])
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
        self.send_limited("a", "b", limits=[SLOW])
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
        self.send_limited("a", "b", limits=[SLOW])
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
        self.send_limited("long", "next", limits=[SLOW])
        self.claim_one()
        self.clock.advance(10.0)
        self.broker.promote()

        assert self.ready() == ["next"]

    def test_a_claim_of_a_rate_that_is_released_counts_when_it_starts(self) -> None:
        self.send_limited("a", "b", "c", limits=[SLOW])
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
        self.send_limited("a", limits=[SLOW])
        (a,) = self.claim()
        self.settle(self.again(a))

        assert self.ready() == []
        self.clock.advance(10.0)
        self.broker.promote()
        assert self.ready() == ["a"]

    def test_a_rate_is_remembered_when_no_task_uses_it(self) -> None:
        self.send_limited("a", limits=[SLOW])
        (a,) = self.claim()
        self.settle(self.success(a))
        self.clock.advance(5.0)
        self.broker.sweep(100)
        self.send_limited("b", limits=[SLOW])
        assert self.ready() == []
        self.clock.advance(5.0)
        self.broker.promote()
        (b,) = self.claim()
        self.settle(self.success(b))

        self.clock.advance(10.0)
        self.broker.sweep(100)
        assert self.broker.limits() == []

    def test_a_task_of_a_rate_has_a_mark_by_which_it_is_handed_out_alone(self) -> None:
        self.send_limited("a", limits=[SLOW])
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
        self.send_limited("waits", limits=[SLOW, ONE])
        self.send_limited("free", limits=[SLOW])

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

    def test_a_limit_that_is_given_a_rate_at_run_time_counts_what_starts_from_then_on(self) -> None:
        self.send_limited("a", "b", "c", limits=[{"key": "k", "running": 9}])
        self.broker.set_limit("k", LimitRule(running=9, rate=0.1, burst=1), fixed=True)
        (a,) = self.claim()
        self.settle(self.success(a))

        assert self.claim() == []
        self.clock.advance(10.0)
        self.broker.promote()
        (b,) = self.claim()
        self.broker.release([b.receipt])
        assert self.ready() == ["b"]
