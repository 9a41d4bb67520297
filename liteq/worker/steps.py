"""The steps of running tasks, between their code and the store."""

import os
import time
from collections.abc import Sequence
from typing import Any

from ..brokers.backoff import StoreBackoff
from ..exceptions import (
    BrokerRefused,
    BrokerUnavailable,
    PayloadTooLarge,
    SerializationError,
    TaskError,
)
from ..execution.failure import stored_failure
from ..execution.steps import ClaimLost
from ..model.message import Delivery
from ..model.step import Step
from ..pools.base import KeepStep
from ..result import ResultSet
from ..result.app import App
from ..result.base import result_from_tuple
from ..sending.formats import result_serializer
from .decide import decide_step
from .task_log import logger


class WorkerSteps:
    """The store of steps in a process that runs tasks.

    `keep`: asks the supervisor to write a step along with all else that it writes. None: this
    process writes it itself, as the supervisor is no other one, and may be the one that waits.
    """

    def __init__(self, app: App, keep: KeepStep | None) -> None:
        self._app = app
        self._broker = app.broker
        self._serializer = result_serializer(app.conf, app.broker)
        self._limit = app.conf.max_payload_size
        self._ask = keep
        self._pid = os.getpid()

    def now(self) -> float:
        return self._broker.clock()

    def load(self, delivery: Delivery) -> list[Step]:
        return self._broker.steps(delivery.message.id)

    def keep(self, delivery: Delivery, step: Step) -> None:
        # A process that the task has forked has no stream to the supervisor of its own.
        asks = self._ask is not None and os.getpid() == self._pid
        kept = self._ask(delivery, step) if asks and self._ask else self._write(delivery, step)
        if not kept:
            raise ClaimLost(step.name)

    def encoded(self, value: Any, what: str) -> tuple[bytes, str]:
        try:
            data = self._serializer.dumps(value)
        except SerializationError as exc:
            raise SerializationError(f"{what} is a {type(value).__name__}: {exc}") from None
        if len(data) > self._limit:
            raise PayloadTooLarge(
                f"{what} is {len(data)} bytes, and max_payload_size is {self._limit}: store it "
                "elsewhere and return where it is"
            )
        return data, self._serializer.name

    def encoded_error(self, error: BaseException) -> tuple[bytes, str]:
        return stored_failure(error, self._serializer)

    def decoded(self, step: Step) -> Any:
        return self._app.backend.step_value(step)

    def results_of(self, sent: Sequence[Any]) -> list[Any] | BaseException | None:
        results = ResultSet([result_from_tuple(each, self._app) for each in sent], app=self._app)
        ids = [leaf.id for result in results.results for leaf in result.leaves()]
        for id, record in zip(ids, self._broker.fetch(ids), strict=True):
            if record is None:
                return TaskError(f"the result of the task {id} was deleted before it was gathered")
            if not record.phase.final:
                return None
        try:
            return results.get(timeout=0, disable_sync_subtasks=False)
        except Exception as exc:  # noqa: BLE001 - a task may have failed with any
            return exc

    def _write(self, delivery: Delivery, step: Step) -> bool:
        """Write a step; return False if the claim was lost. Insist while the store is away."""
        store = StoreBackoff(logger)
        while True:
            try:
                settled = self._broker.settle([decide_step(delivery, step, self.now())])
            except BrokerRefused:
                raise
            except BrokerUnavailable as exc:
                store.failed("step", exc)
                time.sleep(store.pause)
            else:
                store.succeeded("step")
                return not settled.refused
