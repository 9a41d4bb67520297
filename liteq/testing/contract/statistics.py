"""The contract of statistics: `waited`, `count` and `statistics`."""

from typing import Any

from ...model.stat import HOUR, KEPT, MINUTE, Stat, start_of
from .harness import Harness


class StatisticsTests(Harness):
    """Count how tasks ended by minute and hour, apart from the tasks."""

    def stat(self, task: str = "task", outcome: str = "succeeded", **fields: Any) -> Stat:
        """Return the statistics of one task that ended now."""
        usual = {"number": 1, "ran": 0.5, "runs": {27: 1}, "waited": 2.0, "waits": {31: 1}}
        totals = {**usual, **fields}
        return Stat(MINUTE, start_of(self.clock(), MINUTE), "celery", task, outcome, **totals)

    def stats(self, seconds: int = MINUTE) -> list[Stat]:
        """Return all statistics by periods of `seconds`."""
        return self.broker.statistics(seconds, 0.0, self.clock() + seconds)

    def test_nothing_is_counted_at_first(self) -> None:
        assert self.stats(MINUTE) == self.stats(HOUR) == []

    def test_what_is_counted_is_kept_by_minute_and_by_hour(self) -> None:
        stat = self.stat()

        self.broker.count([stat], "first")

        assert self.stats() == [stat]
        assert self.stats(HOUR) == [stat.in_period(HOUR)]

    def test_statistics_of_one_task_and_outcome_are_added_up(self) -> None:
        self.broker.count([self.stat(), self.stat("other"), self.stat(outcome="failed")], "first")
        self.broker.count([self.stat(number=2, runs={27: 1, 3: 1}, waits={})], "second")

        summed = self.stat(number=3, ran=1.0, runs={27: 2, 3: 1}, waited=4.0, waits={31: 1})
        assert self.stats() == [self.stat("other"), self.stat(outcome="failed"), summed]

    def test_a_minute_later_another_period_begins_and_the_hour_goes_on(self) -> None:
        first = self.stat()
        self.broker.count([first], "first")
        self.clock.advance(MINUTE)
        second = self.stat()
        self.broker.count([second], "second")

        assert self.stats() == [first, second]
        hours = {start_of(each.start, HOUR) for each in (first, second)}
        assert sum(each.number for each in self.stats(HOUR)) == 2
        assert {each.start for each in self.stats(HOUR)} == hours

    def test_only_the_periods_that_are_asked_for_are_returned(self) -> None:
        stats = []
        for n in range(4):
            stats.append(self.stat())
            self.broker.count(stats[-1:], str(n))
            self.clock.advance(MINUTE)

        found = self.broker.statistics(MINUTE, stats[1].start, stats[3].start)
        assert found == stats[1:3]

    def test_statistics_that_are_too_old_are_deleted_by_the_next_ones(self) -> None:
        self.broker.count([self.stat()], "first")
        self.clock.advance(KEPT[MINUTE] + 2 * MINUTE)
        last = self.stat()
        self.broker.count([last], "second")

        assert self.stats() == [last]
        assert sum(each.number for each in self.stats(HOUR)) == 2
        self.clock.advance(KEPT[HOUR] + 2 * HOUR)
        self.broker.count([self.stat()], "third")
        assert sum(each.number for each in self.stats(HOUR)) == 1

    def test_names_are_kept_as_they_are(self) -> None:
        stat = self.stat("shop.tasks:ünïcode 'quotes' {braces} %s")._replace(queue="a/b: c")

        self.broker.count([stat], "first")

        assert self.stats() == [stat]

    def test_thousands_are_counted_at_once(self) -> None:
        stats = [self.stat(f"task{n:04}") for n in range(1200)]

        self.broker.count(stats, "first")

        assert self.stats() == stats
        assert len(self.stats(HOUR)) == len(stats)

    def test_statistics_outlive_the_tasks(self) -> None:
        self.finish("a")
        self.broker.count([self.stat()], "first")
        self.broker.forget(["a"])

        assert self.stats() == [self.stat()]

    def test_a_task_has_waited_from_when_it_was_sent_until_it_began(self) -> None:
        self.send("a")
        self.clock.advance(3)
        self.send("b")
        self.clock.advance(1)
        receipts = [each.receipt for each in self.claim()]

        assert self.broker.waited(receipts) == [4.0, 1.0]
        assert self.broker.waited(receipts[::-1]) == [1.0, 4.0]

    def test_a_task_with_an_eta_has_waited_from_then_on(self) -> None:
        self.send("a", eta=self.clock() + 10)
        self.clock.advance(12)
        self.broker.promote()

        assert self.broker.waited([self.claim_one().receipt]) == [2.0]

    def test_how_long_it_waited_is_known_when_it_has_ended(self) -> None:
        self.send("a")
        self.clock.advance(5)
        delivery = self.claim_one()
        self.settle(self.success(delivery))

        assert self.broker.waited([delivery.receipt]) == [5.0]

    def test_of_a_deleted_task_it_is_not_known_how_long_it_waited(self) -> None:
        self.send("a", "b")
        self.clock.advance(1)
        a, b = self.claim()
        self.settle(self.success(a))
        self.broker.forget(["a"])

        assert self.broker.waited([a.receipt, b.receipt]) == [None, 1.0]
        assert self.broker.waited([]) == []
