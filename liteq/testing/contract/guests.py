"""The contract of guests: what a broker does in a transaction of the application.

It is for brokers whose store can be in a database of the application: those derive from `Host`.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any
from unittest import SkipTest

from ...brokers.guests import Guest, Host
from ...exceptions import TransactionError
from ...model.graph import Graph, Place
from ...model.message import Delivery
from ...states import Phase
from .step_harness import StepsHarness

EVERY_PHASE = tuple(Phase)

Write = Callable[["Guests"], object]


class Guests(StepsHarness):
    """What is written in a transaction of the application is there if and only if that commits."""

    def connect_application(self, broker: Host) -> Any:
        """Return a new connection of the application to the database of the store.

        A broker that is no `Host` need not define this.
        """
        raise NotImplementedError

    def test_what_a_guest_writes_is_there_once_the_transaction_is_committed(self) -> None:
        for name, write in WRITES.items():
            self._prepare()
            with self._guest() as connection:
                before = self._looked_at_beside()
                write(self)
                assert self._looked_at_beside() == before, f"{name}: seen before the commit"
                connection.commit()
            assert self._look() != before, f"{name}: not there after the commit"
            self._clear()

    def test_what_a_guest_writes_is_undone_with_the_transaction(self) -> None:
        for name, write in WRITES.items():
            self._prepare()
            before = self._look()
            with self._guest() as connection:
                write(self)
                assert self._look() != before, f"{name}: not seen in its own transaction"
                connection.rollback()
            assert self._look() == before, f"{name}: not undone"
            self._clear()

    def test_a_guest_takes_part_in_a_transaction_that_is_open(self) -> None:
        with self._guest(hold=False) as connection:
            self.send("a")
            with self._on(self._host().guest(connection), hold=False):
                self.send("b")
            connection.rollback()
        assert self.known("a", "b") == []

    def test_who_is_concerned_is_notified_after_the_commit(self) -> None:
        with closing(self.broker.work_listener(self.worker)) as listener:
            self.claim()  # nothing, so it is idle
            listener.clear()
            with self._guest() as connection:
                guest = self._entered
                self.send("a")
                assert not listener.wait(0.0)
                connection.commit()
            guest.notify()
            assert listener.wait(5.0)

    def test_a_verb_that_fails_is_undone_and_the_rest_of_the_transaction_stays(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        lost = delivery.receipt._replace(token=delivery.token + 1)
        with self._guest() as connection:
            self.send("b")
            refused = self.broker.settle([self.success(delivery)._replace(receipt=lost)]).refused
            assert refused == [lost]
            self.send("c")
            connection.commit()
        assert self.known("a", "b", "c") == ["a", "b", "c"]
        assert self.phase("a") is Phase.RUNNING

    def test_a_task_that_ends_in_a_transaction_that_is_undone_still_runs(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        with self._guest() as connection:
            assert self.settle(self.success(delivery)) == []
            connection.rollback()
        assert self.phase() is Phase.RUNNING
        assert self.settle(self.success(delivery)) == []

    def test_another_thread_is_not_in_the_transaction(self) -> None:
        found: list[Any] = []
        with self._guest() as connection:
            self.send("a")
            thread = Thread(target=lambda: found.append(self.known("a")))
            thread.start()
            thread.join()
            connection.commit()
        assert found == [[]]

    def test_after_it_has_left_a_guest_has_no_part_in_anything(self) -> None:
        with self._guest() as connection:
            self.send("a")
            connection.commit()
        self._entered.leave()  # once more
        self.send("b")
        assert self.known("a", "b") == ["a", "b"]

    def test_in_a_transaction_that_has_ended_nothing_is_written(self) -> None:
        with self._guest() as connection:
            connection.rollback()
            try:
                self.send("a")
            except TransactionError:
                pass
            else:
                raise AssertionError("it was written in a transaction that had ended")
        assert self.known("a") == []

    def test_what_is_no_connection_to_the_store_has_no_guest(self) -> None:
        assert self._host().guest(object()) is None
        assert self._host().guest(None) is None

    # what the tests use

    _entered: Guest

    def _host(self) -> Host:
        if not isinstance(self.broker, Host):
            raise SkipTest("the store of this broker is in no database of an application")
        self.broker.counts()  # opens the store, which makes it
        return self.broker

    @contextmanager
    def _guest(self, *, hold: bool = True) -> Iterator[Any]:
        """Yield a connection of the application, in whose transaction the broker takes part."""
        host = self._host()
        connection = self.connect_application(host)
        with closing(connection), self._on(host.guest(connection), hold=hold):
            yield connection

    @contextmanager
    def _on(self, guest: Guest | None, *, hold: bool) -> Iterator[None]:
        assert guest is not None
        self._entered = guest
        guest.enter(hold=hold, catch_up=lambda: None)
        try:
            yield
        finally:
            guest.leave()

    def _prepare(self) -> None:
        """Store what the writes below change."""
        self._host()
        self.finish("done")
        self.send("running")
        self.running: Delivery = self.claim_one()
        self.send("ready")
        assert self.broker.emit(self.occur("before"))
        self.clock.advance(1)

    def _clear(self) -> None:
        self.settle(self.success(self.running))  # unless it has ended
        left = [each.message.id for each in self.broker.listing(EVERY_PHASE, 1000)]
        self.broker.cancel(left, 0.0)
        self.clock.advance(2e6)  # events are forgotten
        self.broker.sweep(1000)
        assert self._look() == [[], [], [None, None]]

    def _look(self) -> list[Any]:
        """Return all that there is."""
        records = self.broker.listing(EVERY_PHASE, 1000)
        steps = [self.broker.steps(each.message.id) for each in records]
        events = [self.broker.event(key) for key in ("before", "key")]
        return [sorted(records, key=lambda each: each.message.id), steps, events]

    def _looked_at_beside(self) -> list[Any]:
        """Return what another thread sees."""
        found: list[Any] = []
        thread = Thread(target=lambda: found.append(self._look()))
        thread.start()
        thread.join()
        return list(found[0])


def _enqueue(test: Guests) -> None:
    test.send("new")


def _replace(test: Guests) -> None:
    assert test.broker.enqueue_or_replace(test.message("done"), test.clock())


def _enqueue_graph(test: Guests) -> None:
    messages = (test.message("a chain"), test.message("its end"))
    places = (Place(followed=True), Place(waits="a chain", takes=True))
    test.broker.enqueue_graph(Graph(messages, places))


def _settle(test: Guests) -> None:
    assert test.settle(test.success(test.running)) == []


def _retry(test: Guests) -> None:
    assert test.settle(test.retry(test.running, eta=test.clock() + 5)) == []


def _keep_step(test: Guests) -> None:
    assert test.keep(test.running, test.step())


def _emit(test: Guests) -> None:
    assert test.emit()


def _cancel(test: Guests) -> None:
    assert test.broker.cancel(["ready"], 60.0) == ["ready"]


def _forget(test: Guests) -> None:
    assert test.broker.forget(["done"]) == 1


def _report(test: Guests) -> None:
    assert test.broker.report("running", "PROGRESS", b"1", "json")


def _purge(test: Guests) -> None:
    assert test.broker.purge(None) == 1


WRITES: dict[str, Write] = {
    "enqueue": _enqueue,
    "enqueue_or_replace": _replace,
    "enqueue_graph": _enqueue_graph,
    "settle": _settle,
    "settle a retry": _retry,
    "settle a step": _keep_step,
    "emit": _emit,
    "cancel": _cancel,
    "forget": _forget,
    "report": _report,
    "purge": _purge,
}
"""The verbs by which an application changes its store."""
