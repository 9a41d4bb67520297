"""The contract of the verbs for periodic tasks: `schedule`, `unschedule`, `fire` and others."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ...model.entry import Entry, Fired, Firing
from ...states import Phase
from .harness import Harness
from .races import race


class Schedules(Harness):
    """Entries are changed by their latest version only, and each step of one is taken once."""

    # helpers

    def entry(self, name: str = "daily", **fields: Any) -> Entry:
        """Return an entry that is due in a minute, not stored."""
        moment = self.clock() + 60
        usual = {"moment": moment, "due": moment, "planned": self.clock()}
        message = self.message("", options='{"headers":{"a":1}}', priority=3)
        return Entry(name, '{"every": 60}', message, **{**usual, **fields})

    def stored(self, name: str = "daily", **fields: Any) -> Entry:
        """Store such an entry; return it as it is stored."""
        assert self.broker.schedule([self.entry(name, **fields)]) == []
        return self.entry_of(name)

    def entry_of(self, name: str = "daily") -> Entry:
        """Return the stored entry of that name, which must exist."""
        (entry,) = [each for each in self.broker.schedules() if each.name == name]
        return entry

    def firing(self, entry: Entry, id: str | None = "run") -> Firing:
        """Return the next step of `entry`, with a message of this id; None: without."""
        moment = entry.moment or self.clock()
        after = entry._replace(moment=moment + 60, due=moment + 60, planned=self.clock())
        if id is None:
            return Firing(after, None)
        after = after._replace(runs=entry.runs + 1, last=moment, last_id=id)
        return Firing(after, entry.message._replace(id=id))

    def fire_one(self, firings: Sequence[Firing], n: int) -> Fired:
        """Fire the `n`-th of `firings`; return the outcome."""
        (outcome,) = self.broker.fire([firings[n]])
        return outcome

    # entries

    def test_an_entry_is_stored_as_given(self) -> None:
        given = self.entry(
            app="shop",
            paused=True,
            due=None,
            runs=7,
            last=1.5,
            last_id="x",
            misfire="all",
            grace=2.5,
            overlap=False,
            jitter=3.5,
            expires=4.5,
            undeclared=True,
        )
        self.broker.schedule([given])

        kept = self.entry_of()
        assert kept.version != 0
        assert kept._replace(version=0) == given

    def test_entries_are_listed_by_name(self) -> None:
        self.broker.schedule([self.entry("b"), self.entry("c"), self.entry("a")])

        assert [each.name for each in self.broker.schedules()] == ["a", "b", "c"]

    def test_entries_can_be_listed_by_when_they_are_due(self) -> None:
        now = self.clock()
        times = {"now": now, "later": now + 1, "never": None}
        self.broker.schedule([self.entry(name, due=due) for name, due in times.items()])

        assert [each.name for each in self.broker.schedules(now)] == ["now"]
        assert [each.name for each in self.broker.schedules(now + 1)] == ["later", "now"]

    def test_a_new_entry_does_not_replace_one_of_its_name(self) -> None:
        before = self.stored()

        assert self.broker.schedule([self.entry(runs=9), self.entry("other")]) == ["daily"]
        assert self.entry_of() == before
        assert self.entry_of("other")

    def test_a_change_of_an_entry_needs_its_latest_version(self) -> None:
        read = self.stored()

        assert self.broker.schedule([read._replace(jitter=1.0)]) == []
        assert self.broker.schedule([read._replace(jitter=2.0)]) == ["daily"]
        changed = self.entry_of()
        assert changed.jitter == 1.0
        assert changed.version not in (0, read.version)

    def test_an_entry_that_is_dropped_is_gone_and_cannot_be_changed(self) -> None:
        read = self.stored()

        assert self.broker.unschedule(["daily", "unknown", "daily"]) == ["daily"]
        assert self.broker.schedules() == []
        assert self.broker.schedule([read]) == ["daily"]
        assert self.broker.fire([self.firing(read)]) == [Fired.STALE]

    def test_an_entry_that_is_added_again_has_a_new_version(self) -> None:
        read = self.stored()
        self.broker.unschedule(["daily"])
        self.stored()

        assert self.broker.schedule([read]) == ["daily"]
        assert self.broker.fire([self.firing(read)]) == [Fired.STALE]

    def test_entries_are_written_all_or_none(self) -> None:
        wrong = self.entry("wrong")._replace(message=self.message("", payload=object()))
        try:
            self.broker.schedule([self.entry(), wrong])
        except Exception:  # noqa: BLE001 - which error is up to the store
            assert self.broker.schedules() == []
        else:
            raise AssertionError("a payload that is not bytes was stored")

    # when the next one is due

    def test_the_next_to_fire_is_the_one_that_is_due_first(self) -> None:
        assert self.broker.next_fire() is None
        now = self.clock()
        self.broker.schedule([self.entry("a", due=now + 9), self.entry("b", due=now + 5)])
        self.broker.schedule([self.entry("paused", due=None)])

        assert self.broker.next_fire() == now + 5

    def test_a_change_of_entries_notifies_the_workers(self) -> None:
        listener = self.broker.work_listener(0)
        read = self.stored()
        assert listener.wait(5)
        self.broker.schedule([read._replace(jitter=1.0)])
        assert listener.wait(5)
        listener.close()

    # firing

    def test_firing_sends_the_message_and_advances_the_entry(self) -> None:
        read = self.stored()
        self.clock.advance(60)
        firing = self.firing(read)

        assert self.broker.fire([firing]) == [Fired.DONE]
        after = self.entry_of()
        assert after._replace(version=0) == firing.entry._replace(version=0)
        assert after.version != read.version
        record = self.record("run")
        assert record.message == firing.message
        assert (record.phase, record.created) == (Phase.READY, self.clock())

    def test_a_step_is_taken_once_however_many_try(self) -> None:
        read = self.stored()

        assert self.broker.fire([self.firing(read, "first")]) == [Fired.DONE]
        assert self.broker.fire([self.firing(read, "second")]) == [Fired.STALE]
        assert self.known("first", "second") == ["first"]
        assert self.entry_of().runs == 1

    def test_of_several_that_fire_at_the_same_instant_one_does(self) -> None:
        for round in range(10):
            read = self.stored(f"entry-{round}")
            firings = [self.firing(read, f"{round}-{n}") for n in range(4)]

            outcomes = race(4, partial(self.fire_one, firings))
            assert sorted(each.value for each in outcomes) == ["done", "stale", "stale", "stale"]
        assert len(self.broker.listing([Phase.READY], 99)) == 10

    def test_several_entries_fire_in_one_go(self) -> None:
        stale, done = self.stored("stale"), self.stored("done")
        self.broker.unschedule(["stale"])

        outcomes = self.broker.fire([self.firing(stale, "a"), self.firing(done, "b")])
        assert outcomes == [Fired.STALE, Fired.DONE]
        assert self.known("a", "b") == ["b"]

    def test_an_entry_that_was_changed_meanwhile_does_not_fire(self) -> None:
        read = self.stored()
        self.broker.schedule([read._replace(paused=True, due=None)])

        assert self.broker.fire([self.firing(read)]) == [Fired.STALE]
        assert self.known("run") == []

    def test_a_moment_can_be_skipped(self) -> None:
        read = self.stored()

        assert self.broker.fire([self.firing(read, None)]) == [Fired.DONE]
        after = self.entry_of()
        assert (after.moment, after.runs, after.last_id) == (read.due and read.due + 60, 0, None)
        assert self.broker.listing(list(Phase), 9) == []

    def test_a_message_whose_id_is_known_is_not_sent_again(self) -> None:
        self.finish("run")

        assert self.broker.fire([self.firing(self.stored())]) == [Fired.DONE]
        assert self.phase("run") is Phase.SUCCEEDED

    def test_firing_notifies_the_workers(self) -> None:
        read = self.stored()
        listener = self.broker.work_listener(self.worker)
        self.broker.fire([self.firing(read)])

        assert listener.wait(5)
        listener.close()

    def test_a_firing_for_later_waits_for_its_time(self) -> None:
        entry, message = self.firing(self.stored())
        assert message
        self.broker.fire([Firing(entry, message._replace(eta=self.clock() + 5))])

        assert self.phase("run") is Phase.SCHEDULED

    # overlap

    def test_without_overlap_nothing_is_sent_until_the_last_run_has_ended(self) -> None:
        first = self.stored(overlap=False)
        assert self.broker.fire([self.firing(first, "first")]) == [Fired.DONE]
        delivery = self.claim_one()
        second = self.entry_of()
        assert self.broker.fire([self.firing(second, "second")]) == [Fired.HELD]

        third = self.entry_of()
        assert self.known("second") == []
        assert (third.runs, third.last, third.last_id) == (1, first.moment, "first")
        assert third.moment == (second.moment or 0) + 60  # it has advanced all the same
        self.settle(self.success(delivery))
        assert self.broker.fire([self.firing(third, "third")]) == [Fired.DONE]

    def test_without_overlap_a_retry_is_still_the_last_run(self) -> None:
        self.broker.fire([self.firing(self.stored(overlap=False), "first")])
        self.settle(self.retry(self.claim_one(), self.clock() + 100))

        assert self.broker.fire([self.firing(self.entry_of(), "second")]) == [Fired.HELD]

    def test_without_overlap_a_run_that_is_deleted_has_ended(self) -> None:
        self.broker.fire([self.firing(self.stored(overlap=False), "first")])
        self.broker.purge(None)

        assert self.broker.fire([self.firing(self.entry_of(), "second")]) == [Fired.DONE]

    def test_without_overlap_a_moment_can_still_be_skipped(self) -> None:
        self.broker.fire([self.firing(self.stored(overlap=False), "first")])

        assert self.broker.fire([self.firing(self.entry_of(), None)]) == [Fired.DONE]

    def test_with_overlap_the_last_run_does_not_matter(self) -> None:
        self.broker.fire([self.firing(self.stored(), "first")])

        assert self.broker.fire([self.firing(self.entry_of(), "second")]) == [Fired.DONE]
