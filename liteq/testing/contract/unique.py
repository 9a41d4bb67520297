"""The contract of unique keys: of the tasks of one key, the store keeps as many as they say."""

from functools import partial
from typing import Any

from ...states import Phase
from .harness import ids
from .races import race
from .unique_harness import UniqueHarness


class Unique(UniqueHarness):
    """A key lives with its task, and ends with it, whatever ends it."""

    def test_a_message_whose_key_is_taken_is_answered_by_the_task_that_has_it(self) -> None:
        assert self.answer("a") is None
        assert self.answer("b") == "a"
        assert self.answer("other", "another key") is None

        assert ids(self.claim()) == ["a", "other"]
        assert self.answer("c") == "a"

    def test_a_message_with_a_key_comes_back_as_it_was_sent(self) -> None:
        message = self.keyed(priority=2, eta=self.clock() + 5, expires=self.clock() + 9)
        self.broker.enqueue([message])

        assert self.record().message == message
        assert self.phase() is Phase.SCHEDULED

    def test_of_one_batch_the_first_of_a_key_is_stored(self) -> None:
        messages = [self.keyed("a"), self.message("b"), self.keyed("c"), self.keyed("d", "other")]

        assert self.broker.enqueue(messages) == {"c": "a"}
        assert self.known("a", "b", "c", "d") == ["a", "b", "d"]
        assert ids(self.claim()) == ["a", "b", "d"]

    def test_of_thousands_the_first_of_each_key_is_stored(self) -> None:
        messages = [self.keyed(f"t{n:04}", f"key {n % 700}") for n in range(1400)]
        answers = self.broker.enqueue(messages)

        assert sum(count.tasks for count in self.broker.counts()) == 700
        assert answers == {f"t{n:04}": f"t{n - 700:04}" for n in range(700, 1400)}
        assert ids(self.claim(2000)) == [f"t{n:04}" for n in range(700)]

    def test_a_message_that_is_sent_twice_is_no_duplicate_of_itself(self) -> None:
        for _ in range(2):  # as a client does whose connection broke before the reply came
            assert self.answer("a") is None
        self.end(self.claim_one(), Phase.SUCCEEDED)

        assert self.answer("a") is None
        assert self.claim() == []

    def test_of_one_id_twice_in_a_batch_the_second_is_not_refused(self) -> None:
        self.broker.enqueue([self.keyed("a", then="raise"), self.keyed("a", then="raise")])

        assert ids(self.claim()) == ["a"]

    def test_of_many_senders_of_one_key_one_wins(self) -> None:
        def send(n: int) -> str:
            message = self.keyed(f"t{n}")
            return self.broker.enqueue([message]).get(message.id, message.id)

        answers = set(race(4, send))
        assert answers == set(ids(self.claim()))
        assert len(answers) == 1

    # when it is free

    def test_a_key_is_free_once_its_task_has_ended_however_that_is(self) -> None:
        for phase in Phase:
            if phase.final:
                assert self.answer(phase.name) is None
                assert not self.is_free()
                delivery = self.claim_one()
                assert not self.is_free()
                self.end(delivery, phase)
                assert self.is_free()

    def test_a_key_is_free_once_its_task_is_revoked(self) -> None:
        self.answer("ready")
        self.broker.cancel(["ready"], 60)
        assert self.is_free()

        self.answer("running")
        delivery = self.claim_one()
        self.broker.cancel(["running"], 60, terminate=True)
        assert not self.is_free()
        self.end(delivery, Phase.CANCELLED)
        assert self.is_free()

    def test_a_key_is_free_once_its_task_is_purged_or_forgotten(self) -> None:
        self.answer("a")
        self.answer("b", "other", eta=self.clock() + 60)
        assert self.broker.purge(None) == 2
        assert self.is_free()
        assert self.is_free("other")

        self.answer("c", until=3600.0)
        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert not self.is_free()
        assert self.broker.forget(["c"]) == 1
        assert self.is_free()

    def test_a_key_is_free_once_its_task_was_too_late_to_start(self) -> None:
        self.answer("a", expires=self.clock() + 10)
        assert not self.is_free()
        self.clock.advance(10)

        assert self.answer("b") is None  # although no worker has looked at the first one
        assert ids(self.claim()) == ["a", "b"]

    def test_a_key_is_kept_by_a_task_that_has_begun_before_it_was_too_late(self) -> None:
        self.answer("a", expires=self.clock() + 10)
        self.claim_one()
        self.clock.advance(10)

        assert self.answer("b") == "a"

    def test_a_key_is_kept_through_retries_and_given_back_claims(self) -> None:
        self.answer("a")
        self.settle(self.later(self.claim_one()))
        assert self.answer("b") == "a"
        self.clock.advance(60)
        self.broker.promote()
        self.broker.release([self.claim_one().receipt])
        assert self.answer("b") == "a"

        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert self.is_free()

    def test_a_key_is_kept_until_the_task_of_a_dead_worker_has_ended(self) -> None:
        self.answer("a")
        self.claim_and_die()
        assert not self.is_free()
        assert self.rescue() == ["a"]
        assert not self.is_free()  # it runs again

        self.claim_and_die()
        self.rescue(max_lost=1)
        assert self.phase() is Phase.DEAD
        assert self.is_free()

    def test_a_key_until_the_start_is_free_once_its_task_has_started(self) -> None:
        self.answer("a", until="started")
        assert self.answer("b", until="started") == "a"
        delivery = self.claim_one()
        assert self.answer("c", until="started") is None

        self.settle(self.later(delivery))
        assert self.answer("d", until="started") == "c"  # the retry has no key
        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert self.is_free()

    def test_a_key_for_some_seconds_is_kept_for_these_whatever_becomes_of_its_task(self) -> None:
        self.answer("a", until=60.0)
        self.end(self.claim_one(), Phase.FAILED)
        self.clock.advance(59)
        assert self.answer("b", until=60.0) == "a"
        self.clock.advance(1)
        assert self.answer("c", until=60.0) is None

        self.clock.advance(60)
        assert self.answer("d", until=60.0) is None  # although the other one has not ended
        assert ids(self.claim()) == ["c", "d"]

    def test_the_task_that_has_a_key_says_for_how_long(self) -> None:
        self.answer("a", until="started")
        self.claim_one()
        assert self.answer("b") is None
        self.claim_one()
        assert self.answer("c", until="started") == "b"

    def test_what_is_no_key_is_none(self) -> None:
        for n, text in enumerate(
            ('"k"', "{}", '{"key":""}', '{"key":7}', '{"key":"k","then":"x"}', "null", "[]")
        ):
            self.send(f"t{n}", options=f'{{"unique":{text}}}')

        assert len(self.claim()) == 7

    # raise

    def test_a_message_that_says_so_is_refused_with_all_that_is_sent_with_it(self) -> None:
        self.answer("a")
        refused = self.keyed("c", then="raise")
        error = self.refusal_of(self.message("b"), refused, self.keyed("d", "other"))

        assert error is not None
        assert (error.key, error.task_id) == ("k", "a")
        assert "the task a has its unique key 'k'" in str(error)
        assert self.known("b", "c", "d") == []
        assert self.is_free("other")
        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert self.refusal_of(refused) is None

    # replace

    def test_a_waiting_task_is_given_newer_arguments(self) -> None:
        self.answer("a", then="replace", priority=3)
        self.send("between", priority=3)
        fields: dict[str, Any] = {
            "payload": b"newer",
            "serializer": "pickle",
            "expires": self.clock() + 99,
        }
        assert self.answer("b", then="replace", queue="other", **fields) == "a"

        record = self.record()
        assert record.message == self.keyed("a", then="replace", priority=3, **fields)
        assert record.created == self.clock()
        delivery, other = self.claim()
        assert delivery.message == record.message
        assert other.message.id == "between"

    def test_a_task_is_given_newer_arguments_until_it_starts_and_never_after_that(self) -> None:
        self.answer("a", then="replace", payload=b"1")
        self.answer("b", then="replace", payload=b"2")
        self.answer("c", then="replace", payload=b"3")
        delivery = self.claim_one()
        assert delivery.message.payload == b"3"

        assert self.answer("d", then="replace", payload=b"4") == "a"
        self.settle(self.later(delivery))
        assert self.answer("e", then="replace", payload=b"5") == "a"
        assert self.record().message.payload == b"3"
        self.clock.advance(60)
        self.broker.promote()
        assert self.claim_one().message.payload == b"3"

    def test_a_waiting_task_runs_when_the_newest_call_says(self) -> None:
        later = self.clock() + 60
        self.answer("a", then="replace")
        self.answer("b", then="replace", eta=later)
        assert (self.phase(), self.record().message.eta) == (Phase.SCHEDULED, later)
        assert self.claim() == []
        assert self.broker.promote() == later
        self.answer("c", then="replace")
        assert (self.phase(), self.record().message.eta) == (Phase.READY, None)
        self.answer("d", then="replace", eta=later)
        self.clock.advance(60)
        self.broker.promote()

        assert ids(self.claim()) == ["a"]

    def test_a_task_until_the_start_is_given_arguments_while_another_one_runs(self) -> None:
        self.answer("a", until="started", then="replace")
        self.claim_one()
        assert self.answer("b", until="started", then="replace") is None
        assert self.answer("c", until="started", then="replace", payload=b"3") == "b"
        assert self.claim_one().message.payload == b"3"

    # coalesce

    def test_one_runs_and_one_waits_with_the_newest_arguments(self) -> None:
        send = partial(self.answer, then="coalesce")
        assert send("a", payload=b"1") is None
        assert send("b", payload=b"2") == "a"
        running = self.claim_one()
        assert running.message.payload == b"2"

        assert send("c", payload=b"3") is None
        assert send("d", payload=b"4") == "c"
        assert self.phase("c") is Phase.WAITING
        assert self.claim() == []
        self.end(running, Phase.SUCCEEDED)
        assert send("e", payload=b"5") == "c"
        assert self.claim_one().message == self.keyed("c", then="coalesce", payload=b"5")

    def test_the_one_that_waits_runs_however_the_other_one_ends(self) -> None:
        for phase in Phase:
            if phase.final:
                name = phase.name
                self.answer(f"{name} a", then="coalesce")
                delivery = self.claim_one()
                self.answer(f"{name} b", then="coalesce")
                self.settle(self.later(delivery, 0.0))
                self.broker.promote()
                delivery = self.claim_one()
                self.end(delivery, phase)

                self.end(self.claim_one(), Phase.SUCCEEDED)
                assert self.phase(f"{name} b") is Phase.SUCCEEDED

    def test_the_one_that_waits_waits_for_its_own_time_as_well(self) -> None:
        self.answer("a", then="coalesce")
        running = self.claim_one()
        later = self.clock() + 60
        self.answer("b", then="coalesce", eta=later)
        assert self.phase("b") is Phase.WAITING
        self.end(running, Phase.SUCCEEDED)

        assert self.phase("b") is Phase.SCHEDULED
        assert self.broker.promote() == later
        self.clock.advance(60)
        self.broker.promote()
        assert self.claim_one().message.id == "b"

    def test_the_one_that_waits_can_be_revoked(self) -> None:
        self.answer("a", then="coalesce")
        running = self.claim_one()
        self.answer("b", then="coalesce")
        self.broker.cancel(["b"], 60)
        assert self.phase("b") is Phase.CANCELLED
        assert self.answer("c", then="coalesce") is None
        assert self.phase("c") is Phase.WAITING

        self.end(running, Phase.SUCCEEDED)
        assert self.phases("b", "c") == [Phase.CANCELLED, Phase.READY]

    def test_the_one_that_waits_runs_once_the_other_is_revoked_or_rescued(self) -> None:
        self.answer("a", then="coalesce")
        self.claim_and_die()
        self.answer("b", then="coalesce")
        self.rescue(max_lost=1)
        assert self.phases("a", "b") == [Phase.DEAD, Phase.READY]

        delivery = self.claim_one()
        self.settle(self.later(delivery))
        self.answer("c", then="coalesce")
        assert self.phase("c") is Phase.WAITING
        self.broker.cancel(["b"], 60)
        assert self.claim_one().message.id == "c"

    # throttle and debounce

    def test_a_debounced_task_is_not_put_off_for_longer_than_the_first_call_allows(self) -> None:
        begun = self.clock()
        for n in range(10):
            self.answer(
                f"t{n}", "k", "started", "coalesce", 6.0, eta=self.clock() + 5, payload=b"%d" % n
            )
            assert self.record("t0").message.eta == min(self.clock() + 5, begun + 6)
            if self.broker.promote() is None:
                break
            self.clock.advance(1)

        delivery = self.claim_one()
        assert self.clock() == begun + 6
        assert (delivery.message.id, delivery.message.payload) == ("t0", b"6")

    def test_of_throttled_calls_the_first_runs_at_once_and_the_newest_at_the_end(self) -> None:
        begun = self.clock()
        send = partial(self.answer, until=60.0, then="throttle")
        assert send("a") is None
        first = self.claim_one()
        self.clock.advance(10)
        assert send("b", payload=b"b") is None
        assert send("c", payload=b"c") == "b"
        assert self.broker.promote() == begun + 60
        self.end(first, Phase.SUCCEEDED)
        self.clock.advance(50)
        self.broker.promote()
        second = self.claim_one()
        assert (second.message.id, second.message.payload) == ("b", b"c")

        assert send("d") is None  # within the next minute
        assert self.broker.promote() == begun + 120
        self.clock.advance(120)
        self.broker.promote()
        assert self.claim_one().message.id == "d"
        assert send("e") is None
        assert self.claim_one().message.id == "e"

    def test_throttled_calls_add_up_to_one_while_no_worker_takes_it(self) -> None:
        send = partial(self.answer, until=60.0, then="throttle")
        send("a", payload=b"a")
        self.clock.advance(1000)
        assert send("b", payload=b"b") == "a"

        assert self.claim_one().message.payload == b"b"

    # sent again under the same id

    def test_a_task_of_its_own_id_whose_key_is_taken_ends_as_the_one_that_has_it(self) -> None:
        self.answer("a")
        again = partial(self.broker.enqueue_or_replace, self.keyed("b"), self.clock())
        assert not again()
        assert not again()
        assert self.phase("b") is Phase.WAITING
        self.succeed(self.claim_one())

        (delivery,) = self.claim()
        assert delivery.message == self.keyed("b")
        self.end(delivery, Phase.SUCCEEDED)
        assert self.is_free()

    def test_a_finished_task_may_be_replaced_by_one_that_asks_for_its_key(self) -> None:
        for phase in Phase:
            if phase.final:
                self.answer(phase.name)
                self.end(self.claim_one(), phase)
                self.clock.advance(1)
                again = self.keyed(phase.name)
                assert self.broker.enqueue_or_replace(again, self.clock())
                delivery = self.claim_one()
                assert delivery.message == again
                self.end(delivery, phase)
                self.clock.advance(1)
                self.answer("other")
                assert not self.broker.enqueue_or_replace(again, self.clock())
                assert self.phase(phase.name) is Phase.WAITING
                self.end(self.claim_one(), Phase.SUCCEEDED)
                self.end(self.claim_one(), Phase.SUCCEEDED)
                self.broker.forget(["other"])

    def test_a_task_that_is_sent_again_gives_its_arguments_to_one_that_waits(self) -> None:
        self.answer("a", then="replace", eta=self.clock() + 60)
        message = self.keyed("b", then="replace", payload=b"b")
        assert not self.broker.enqueue_or_replace(message, self.clock())
        assert self.claim_one().message.payload == b"b"

        self.answer("c", "other", then="replace")
        later = self.keyed("d", "other", then="replace", eta=self.clock() + 60)
        assert not self.broker.enqueue_or_replace(later, self.clock())
        assert self.phase("c") is Phase.SCHEDULED
