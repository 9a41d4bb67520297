"""The states that running tasks set, on their way into the store."""

from collections.abc import Iterable
from functools import partial

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..exceptions import BrokerRefused
from ..pools.base import StateUpdate
from .task_log import logger

_MOST = 1000  # states that wait for a store that fails; older ones are dropped


class StateReports:
    """States that are still to be written: of each task the last one."""

    def __init__(self, broker: Broker, store: StoreBackoff) -> None:
        self._broker = broker
        self._store = store
        self._by_task: dict[str, StateUpdate] = {}

    def add(self, updates: Iterable[StateUpdate]) -> None:
        """Add `updates`, each in place of an earlier one of its task."""
        self._by_task.update((update.id, update) for update in updates)

    def write(self) -> None:
        """Write all of them, as long as the store does not fail."""
        while len(self._by_task) > _MOST:
            del self._by_task[next(iter(self._by_task))]
        while self._by_task and not self._store.active:
            id, update = next(iter(self._by_task.items()))
            if self._store.attempt("write", partial(self._write_one, update)):
                del self._by_task[id]

    def _write_one(self, update: StateUpdate) -> None:
        try:
            self._broker.report(*update)
        except BrokerRefused as exc:
            logger.warning("a state of the task %s is dropped: %s", update.id, exc)
