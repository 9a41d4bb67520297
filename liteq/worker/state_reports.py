"""What running tasks report of themselves, on its way into the store: states and progress."""

from collections.abc import Iterable
from functools import partial

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..exceptions import BrokerRefused
from ..model.message import Receipt
from ..model.progress import ProgressReport
from ..pools.base import StateUpdate
from .task_log import logger

_MOST = 1000  # states that wait for a store that fails; older ones are dropped


class StateReports:
    """States and progress that are still to be written: of each task what it reported last."""

    def __init__(self, broker: Broker, store: StoreBackoff) -> None:
        self._broker = broker
        self._store = store
        self._by_task: dict[str, StateUpdate] = {}
        self._progress: dict[Receipt, ProgressReport] = {}

    def add(self, updates: Iterable[StateUpdate]) -> None:
        """Add `updates`, each in place of an earlier one of its task."""
        self._by_task.update((update.id, update) for update in updates)

    def add_progress(self, reports: Iterable[ProgressReport]) -> None:
        """Add `reports`, each in place of an earlier one of its task."""
        self._progress.update((report.receipt, report) for report in reports)

    def write(self) -> None:
        """Write all of them, as long as the store does not fail.

        To be called before the ends of their tasks are written: then their claims are void.
        """
        if self._progress and not self._store.active:
            self._write_progress()
        if self._by_task:
            self._write_states()

    def _write_progress(self) -> None:
        if self._store.attempt("write", self._write_all_progress):
            self._progress = {}

    def _write_all_progress(self) -> None:
        try:
            self._broker.report_progress([*self._progress.values()])
        except BrokerRefused as exc:
            logger.warning("the progress of %d tasks is dropped: %s", len(self._progress), exc)

    def _write_states(self) -> None:
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
