"""The contract of `enqueue`."""

from contextlib import suppress
from typing import cast

from ...states import Phase
from .harness import Harness, ids
from .races import race


class Sending(Harness):
    """Messages are stored whole, and once for each id."""

    def test_a_message_comes_back_as_it_was_sent(self) -> None:
        message = self.message(
            priority=-3,
            expires=self.clock() + 0.1,
            retries=2,
            acks_late=False,
            ignore_result=True,
            track_started=True,
            options='{"shadow": "ß"}',
        )
        self.broker.enqueue([message])

        assert self.record().message == message
        assert self.claim_one().message == message

    def test_a_payload_may_be_any_bytes(self) -> None:
        for n, payload in enumerate((b"", b"\0", b"a\0b", b"\xff\xfe", bytes(range(256)))):
            self.send(str(n), payload=payload)

            assert self.record(str(n)).message.payload == payload

    def test_a_payload_may_be_large(self) -> None:
        payload = bytes(range(256)) * 4096  # 1 MiB
        self.send("a", payload=payload)

        assert self.claim_one().message.payload == payload

    def test_thousands_are_stored_in_the_order_of_sending(self) -> None:
        names = [f"t{n:04}" for n in range(1200)]
        later = [self.message(f"later{n}", eta=self.clock() + 5) for n in range(600)]
        self.broker.enqueue([*map(self.message, names), *later])

        assert [each.message.id for each in self.claim(limit=2000)] == names
        self.clock.advance(5)
        self.broker.promote()
        assert len(self.claim(limit=2000)) == 600

    def test_of_thousands_the_known_ones_are_left_as_they_are(self) -> None:
        self.send("t7", payload=b"first")
        self.send(*(f"t{n}" for n in range(1200)), payload=b"second")

        assert sum(count.tasks for count in self.broker.counts()) == 1200
        assert self.record("t7").message.payload == b"first"

    def test_names_may_be_in_any_script(self) -> None:
        self.send("номер-1", task="größe.测试", queue="очередь 🐇")

        (delivery,) = self.claim(queues=["очередь 🐇"])
        assert delivery.message.id == "номер-1"
        assert delivery.message.task == "größe.测试"

    def test_a_message_without_an_eta_is_ready(self) -> None:
        self.send("a")

        record = self.record()
        assert record.phase is Phase.READY
        assert (record.created, record.started, record.finished) == (self.clock(), None, None)

    def test_a_message_with_a_later_eta_is_scheduled_and_with_a_past_one_ready(self) -> None:
        self.send("later", eta=self.clock() + 0.001)
        self.send("now", eta=self.clock())
        self.send("past", eta=self.clock() - 1)

        assert self.phase("later") is Phase.SCHEDULED
        assert ids(self.claim()) == ["now", "past"]

    def test_an_id_that_is_known_is_left_as_it_is(self) -> None:
        self.send("a", payload=b"first")
        self.send("a", payload=b"second", priority=9, queue="other")

        assert self.record().message == self.message("a", payload=b"first")

    def test_of_one_id_twice_in_a_batch_the_first_is_stored(self) -> None:
        self.broker.enqueue([self.message("a", priority=1), self.message("a", priority=2)])

        assert self.record().message.priority == 1
        assert ids(self.claim()) == ["a"]

    def test_a_running_task_is_not_sent_again(self) -> None:
        self.send("a")
        self.claim_one()
        self.send("a")

        assert self.claim() == []

    def test_a_finished_task_is_not_sent_again(self) -> None:
        self.finish("a")
        self.send("a")

        assert self.claim() == []
        assert self.record().result == b"result"

    def test_new_messages_are_stored_though_others_of_the_batch_are_known(self) -> None:
        self.send("a")
        self.send("b", "a", "c")

        assert ids(self.claim()) == ["a", "b", "c"]

    def test_a_batch_with_a_message_that_cannot_be_stored_stores_nothing(self) -> None:
        poison = self.message("b", payload=cast("bytes", object()))
        with suppress(Exception):
            self.broker.enqueue([self.message("a"), poison, self.message("c")])

        assert self.known("a", "b", "c") == []
        self.send("a")  # and the store still works
        assert ids(self.claim()) == ["a"]

    def test_a_finished_task_may_be_replaced_by_one_of_its_id(self) -> None:
        for id, end in (("done", Phase.SUCCEEDED), ("bad", Phase.FAILED), ("dead", Phase.DEAD)):
            self.send(id, retries=1)
            (first,) = self.claim()
            self.settle(self.retry(first))
            self.settle(self.success(self.claim_one())._replace(phase=end))
            self.clock.advance(1)
            again = self.message(id, payload=b"again", priority=2)

            assert self.broker.enqueue_or_replace(again, self.clock())
            record = self.record(id)
            assert (record.message, record.phase) == (again, Phase.READY)
            assert (record.result, record.finished, record.created) == (None, None, self.clock())
            assert self.broker.attempts(id) == []
            assert ids(self.claim()) == [id]

    def test_an_unfinished_task_is_kept_when_another_of_its_id_is_sent(self) -> None:
        self.send("ready", "running", payload=b"first")
        self.claim(limit=1)
        self.send("later", payload=b"first", eta=self.clock() + 100)
        self.clock.advance(1)

        for id in ("ready", "running", "later"):
            again = self.message(id, payload=b"second")
            assert not self.broker.enqueue_or_replace(again, self.clock())
            assert self.record(id).message.payload == b"first"

    def test_a_task_of_a_new_id_is_stored_as_by_enqueue(self) -> None:
        now, later = self.message("a", priority=1), self.message("b", eta=self.clock() + 5)

        assert self.broker.enqueue_or_replace(now, self.clock(), durable=True)
        assert self.broker.enqueue_or_replace(later, self.clock())
        assert self.phase("b") is Phase.SCHEDULED
        assert [each.message for each in self.claim()] == [now]

    def test_a_replacing_task_that_is_sent_twice_is_stored_once(self) -> None:
        self.finish("a")
        self.clock.advance(1)
        sent = self.clock()
        for _ in range(2):  # as a client does whose connection broke before the reply came
            assert self.broker.enqueue_or_replace(self.message(), sent)
            self.clock.advance(1)
        self.settle(self.success(self.claim_one()))

        assert self.broker.enqueue_or_replace(self.message(), sent)
        assert self.claim() == []

    def test_an_empty_batch_is_no_error(self) -> None:
        self.broker.enqueue([])

        assert self.broker.counts() == []

    def test_a_batch_may_be_large(self) -> None:
        many = [f"{n:04}" for n in range(2000)]
        self.send(*many)

        assert ids(self.claim(limit=2000)) == many

    def test_a_durable_message_is_stored_like_any_other(self) -> None:
        self.broker.enqueue([self.message("a")], durable=True)

        assert ids(self.claim()) == ["a"]

    def test_of_many_senders_of_one_id_one_wins(self) -> None:
        race(4, lambda n: self.send("a", payload=b"%d" % n))

        assert len(self.claim()) == 1
