"""The contract of the listeners."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from selectors import EVENT_READ, DefaultSelector
from threading import Barrier

from ...brokers.base import Listener
from ...model.graph import Place
from ...model.message import Delivery
from ...states import Phase
from .races import race
from .workflow_harness import WorkflowHarness

SOON = 5.0  # seconds within which a notification must arrive


class Waiting(WorkflowHarness):
    """Waiting workers and callers are notified of what they wait for."""

    # work

    def test_workers_are_notified_when_a_task_is_sent(self) -> None:
        with notified(self.broker.work_listener(self.worker)):
            self.send("a")

    def test_workers_are_notified_when_a_task_is_sent_for_later(self) -> None:
        # The eta may be earlier than the one that the worker waits for to promote.
        with notified(self.broker.work_listener(self.worker)):
            self.send("a", eta=self.clock() + 1)

    def test_workers_are_notified_when_a_task_becomes_due(self) -> None:
        self.send("a", eta=self.clock() + 1)
        self.clock.advance(1)
        with notified(self.broker.work_listener(self.worker)):
            self.broker.promote()

    def test_workers_are_notified_when_a_claim_is_released(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        with notified(self.broker.work_listener(self.worker)):
            self.broker.release([delivery.receipt])

    def test_workers_are_notified_when_a_task_is_to_run_again(self) -> None:
        # The worker that had it may be full by now while another one is idle.
        self.send("a")
        delivery = self.claim_one()
        with notified(self.broker.work_listener(self.worker)):
            self.settle(self.retry(delivery))

    def test_workers_are_notified_when_a_claim_is_rescued(self) -> None:
        self.send("a")
        self.claim_and_die()
        with notified(self.broker.work_listener(self.worker)):
            self.rescue()

    def test_workers_are_notified_when_a_worker_unregisters(self) -> None:
        self.send("a")
        other = self.broker.register("other", "{}")
        self.claim_one()
        with notified(self.broker.work_listener(other)):
            self.broker.unregister(self.worker)

    def test_workers_are_notified_when_a_cancelled_task_wakes_an_errback(self) -> None:
        self._send_with_errback()
        with notified(self.broker.work_listener(self.worker)):
            self.broker.cancel(["a"], keep=10)
        assert self.claim_ids() == ["errback"]

    def test_workers_are_notified_when_a_purged_task_wakes_an_errback(self) -> None:
        self._send_with_errback()
        with notified(self.broker.work_listener(self.worker)):
            self.broker.purge(None)
        assert self.claim_ids() == ["errback"]

    # results

    def test_result_listeners_are_notified_when_a_task_is_settled(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        with notified(self.broker.result_listener()):
            self.settle(self.success(delivery))

    def test_result_listeners_are_notified_when_one_of_a_batch_is_settled_and_another_refused(
        self,
    ) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.broker.release([b.receipt])
        with notified(self.broker.result_listener()):
            self.settle(self.success(b), self.success(a))

    def test_result_listeners_are_notified_when_a_task_is_cancelled(self) -> None:
        self.send("a")
        with notified(self.broker.result_listener()):
            self.broker.cancel(["a"], keep=10)

    def test_result_listeners_are_notified_when_a_purge_ends_a_task(self) -> None:
        self.chain("a", "b")
        with notified(self.broker.result_listener()):
            self.broker.purge(None)
        assert self.phase("b") is Phase.CANCELLED

    def test_result_listeners_are_notified_when_a_revoked_task_is_released(self) -> None:
        delivery = self._claim_revoked()
        with notified(self.broker.result_listener()):
            self.broker.release([delivery.receipt])
        assert self.phase() is Phase.CANCELLED

    def test_result_listeners_are_notified_when_the_worker_of_a_revoked_task_unregisters(
        self,
    ) -> None:
        self._claim_revoked()
        with notified(self.broker.result_listener()):
            self.broker.unregister(self.worker)
        assert self.phase() is Phase.CANCELLED

    def test_result_listeners_are_notified_when_a_revoked_task_is_to_run_again(self) -> None:
        delivery = self._claim_revoked()
        with notified(self.broker.result_listener()):
            self.settle(self.retry(delivery))
        assert self.phase() is Phase.CANCELLED

    def test_result_listeners_are_notified_when_a_rescue_ends_a_task(self) -> None:
        self.send("a")
        self.claim_and_die()
        with notified(self.broker.result_listener()):
            self.rescue(max_lost=1)
        assert self.phase() is Phase.DEAD

    def test_each_thread_has_a_result_listener_of_its_own(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        listening = Barrier(3)

        def wait(number: int) -> bool:
            listener = self.broker.result_listener()
            listening.wait(SOON)
            if number == 0:
                self.settle(self.success(delivery))
            return listener.wait(SOON)

        assert race(3, wait) == [True, True, True]

    # any listener

    def test_every_listening_worker_is_notified(self) -> None:
        listeners = [self.broker.work_listener(self.broker.register(name, "{}")) for name in "xyz"]
        self.send("a")

        assert [listener.wait(SOON) for listener in listeners] == [True, True, True]
        for listener in listeners:
            listener.close()

    def test_a_listener_can_be_used_with_a_selector(self) -> None:
        with (
            closing(self.broker.work_listener(self.worker)) as listener,
            DefaultSelector() as selector,
        ):
            selector.register(listener, EVENT_READ)
            self.send("a")

            assert selector.select(SOON)

    def test_a_listener_is_cleared_by_a_wait(self) -> None:
        # A few waits may return early, as notifications can be spurious; then one must block.
        with closing(self.broker.work_listener(self.worker)) as listener:
            self.send("a", "b")

            assert not all(listener.wait(0.01) for _ in range(10))

    def test_a_cleared_listener_is_notified_again(self) -> None:
        with closing(self.broker.work_listener(self.worker)) as listener:
            self.send("a")
            listener.wait(SOON)
            listener.clear()
            self.send("b")

            assert listener.wait(SOON)

    def test_closing_the_broker_ends_its_listeners(self) -> None:
        listener = self.broker.result_listener()
        self.broker.close()

        assert listener.fileno() < 0
        with notified(self.broker.result_listener()):  # another one
            self.finish("a")

    def test_a_listener_need_not_be_read(self) -> None:
        listener = self.broker.work_listener(self.worker)
        for n in range(300):  # more than any socket keeps
            self.send(str(n))
        listener.close()
        listener.close()
        self.send("last")

        assert len(self.claim(limit=400)) == 301

    def _send_with_errback(self) -> None:
        self.send_graph({"a": Place(followed=True), "errback": Place(waits="a", on_failure=1)})

    def _claim_revoked(self) -> Delivery:
        """Claim a task that is then revoked."""
        self.send("a")
        delivery = self.claim_one()
        self.broker.cancel(["a"], keep=10)
        return delivery


@contextmanager
def notified(listener: Listener) -> Iterator[None]:
    """Expect the block to notify `listener`, though nothing waits for it yet."""
    with closing(listener):
        listener.clear()
        yield
        assert listener.wait(SOON)
