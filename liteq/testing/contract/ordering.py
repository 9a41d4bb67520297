"""The contract of orders to workers, and their answers; and of `oldest`."""

import json
from typing import Any

from ...model.order import LONGEST_ARGUMENTS, Answer, Order
from .harness import Harness
from .races import race


class Orders(Harness):
    """An order reaches its worker, and no other one; its first answer counts."""

    def order(self, call: str = "call", worker: int | None = None, **fields: Any) -> Order:
        """Return an order to `worker`, or to `self.worker`, that is good for ten seconds."""
        now = self.clock()
        order = Order(call, worker or self.worker, "ping", "{}", now, now + 10)
        return order._replace(**fields)

    def give(self, *calls: str) -> list[Order]:
        """Give `self.worker` an order for each call."""
        orders = [self.order(call) for call in calls]
        self.broker.order(orders)
        return orders

    def test_an_order_reaches_its_worker(self) -> None:
        other = self.broker.register("other", "{}")
        first = self.order(name="pool_grow", arguments='{"n": 2}')
        second = self.order(worker=other, arguments='{"text": "\\u00e4 \\" \\\\"}')
        self.broker.order([first, second])

        assert self.broker.orders(self.worker) == [first]
        assert self.broker.orders(other) == [second]

    def test_without_orders_there_are_none(self) -> None:
        self.broker.order([])

        assert self.broker.orders(self.worker) == []
        assert self.broker.answers("call") == []

    def test_orders_come_in_the_order_in_which_they_were_given(self) -> None:
        calls = ["z", "a", "m"]
        for call in calls:
            self.give(call)
            self.clock.advance(1)

        assert [each.call for each in self.broker.orders(self.worker)] == calls

    def test_an_order_stays_until_it_is_answered(self) -> None:
        given = self.give("one")
        self.clock.advance(1)  # of two at the same moment either one may come first
        given += self.give("two")
        assert self.broker.orders(self.worker) == self.broker.orders(self.worker) == given

        self.broker.answer([Answer("one", self.worker, '{"ok": 1}')])

        assert [each.call for each in self.broker.orders(self.worker)] == ["two"]

    def test_the_answers_to_a_call_are_those_of_its_workers(self) -> None:
        other = self.broker.register("other", "{}")
        self.broker.order([self.order(), self.order(worker=other), self.order("later")])
        answers = [Answer("call", self.worker, '{"ok": "\\u00e4"}'), Answer("call", other, "[2]")]
        self.broker.answer([answers[1], Answer("later", self.worker, "3")])
        assert self.broker.answers("call") == answers[1:]

        self.broker.answer(answers[:1])

        assert self.broker.answers("call") == sorted(answers, key=lambda each: each.worker)

    def test_an_order_that_is_given_again_is_the_same_one(self) -> None:
        (given,) = self.give("call")
        self.broker.order([given._replace(name="shutdown")])
        assert self.broker.orders(self.worker) == [given]
        self.broker.answer([Answer("call", self.worker, "1")])

        self.broker.order([given])

        assert self.broker.orders(self.worker) == []
        assert self.broker.answers("call") == [Answer("call", self.worker, "1")]

    def test_the_first_answer_counts(self) -> None:
        self.give("call")
        self.broker.answer([Answer("call", self.worker, "1")])
        self.broker.answer([Answer("call", self.worker, "2")])

        assert self.broker.answers("call") == [Answer("call", self.worker, "1")]

    def test_of_many_answers_at_the_same_time_one_counts(self) -> None:
        self.give("call")
        race(6, lambda n: self.broker.answer([Answer("call", self.worker, str(n))]))

        (answer,) = self.broker.answers("call")
        assert answer.text in "012345"
        assert self.broker.orders(self.worker) == []

    def test_what_was_not_ordered_cannot_be_answered(self) -> None:
        self.give("other")
        self.broker.answer([Answer("call", self.worker, "1"), Answer("other", 999, "1")])

        assert self.broker.answers("call") == self.broker.answers("other") == []
        assert len(self.broker.orders(self.worker)) == 1

    def test_an_order_expires(self) -> None:
        self.give("call")
        self.clock.advance(10)

        assert self.broker.orders(self.worker) == []

    def test_an_answer_can_be_read_for_a_while_after_its_order_has_expired(self) -> None:
        self.give("call")
        self.broker.answer([Answer("call", self.worker, "1")])
        self.clock.advance(20)
        self.broker.sweep(100)

        assert self.broker.answers("call") == [Answer("call", self.worker, "1")]

    def test_an_order_with_endless_arguments_is_answered_and_left_out(self) -> None:
        text = json.dumps({"x": "x" * LONGEST_ARGUMENTS})
        good, long = self.order("good"), self.order("long", arguments=text)
        self.broker.order([long, good])

        assert self.broker.orders(self.worker) == [good]
        (answer,) = self.broker.answers("long")
        assert "error" in json.loads(answer.text)

    def test_the_listener_of_the_worker_is_notified_of_an_order(self) -> None:
        listener = self.broker.work_listener(self.worker)
        try:
            listener.wait(0)
            listener.missed()
            listener.ordered()
            self.give("call")

            assert listener.wait(5)
            assert listener.ordered()
        finally:
            listener.close()

    def test_a_notification_of_work_is_none_of_an_order(self) -> None:
        listener = self.broker.work_listener(self.worker)
        try:
            listener.wait(0)
            listener.missed()
            listener.ordered()
            assert not listener.ordered()
            self.send("a")

            assert listener.wait(5)
            assert not listener.ordered()
        finally:
            listener.close()

    def test_who_expects_the_call_is_notified_of_an_answer(self) -> None:
        self.give("call")
        listener = self.broker.result_listener()
        try:
            listener.expect(["call"])
            listener.clear()
            self.broker.answer([Answer("call", self.worker, "1")])

            assert listener.wait(5)
        finally:
            listener.close()

    def test_the_oldest_ready_task_may_run_since_it_was_sent(self) -> None:
        assert self.broker.oldest(["celery"]) is None
        self.send("a")
        sent = self.clock()
        self.clock.advance(5)
        self.send("b", priority=5)
        self.send("c", queue="other")

        assert self.broker.oldest(["celery"]) == sent
        assert self.broker.oldest(["other", "celery"]) == sent
        assert self.broker.oldest(["other"]) == sent + 5
        assert self.broker.oldest(["empty"]) is None
        assert self.broker.oldest([]) is None

    def test_what_runs_or_is_to_run_later_is_not_ready(self) -> None:
        self.send("a")
        self.claim()
        self.send("b", eta=self.clock() + 60)

        assert self.broker.oldest(["celery"]) is None

    def test_a_task_with_an_eta_may_run_since_that(self) -> None:
        eta = self.clock() + 60
        self.send("a", eta=eta)
        self.clock.advance(65)
        self.broker.promote()

        assert self.broker.oldest(["celery"]) == eta
