"""The steps of running tasks, between their code and the store."""

import json
import os
import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..brokers.backoff import StoreBackoff
from ..exceptions import (
    BrokerUnavailable,
    ClaimLost,
    InvalidTaskError,
    SerializationError,
    TaskError,
)
from ..execution.failure import stored_failure
from ..model.checks import UNREADABLE
from ..model.message import Delivery
from ..model.step import Step
from ..pools.base import AwaitKeepStep, KeepStep
from ..result.app import App
from ..result.base import result_from_tuple
from ..sending.formats import result_serializer, too_large
from .decide import decide_step
from .task_log import logger

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

_THREADS = 4  # that read the steps of tasks which begin, where many run in one loop


class WorkerSteps:
    """The store of steps in a process that runs tasks.

    `keep`: asks the supervisor to write a step along with all else that it writes. None: this
    process writes it itself, as the supervisor is no other one, and may be the one that waits.
    `await_keep`: the same, where many tasks run in one loop, which must not be blocked.
    """

    def __init__(
        self, app: App, keep: KeepStep | None, await_keep: AwaitKeepStep | None = None
    ) -> None:
        self._app = app
        self._broker = app.broker
        self._serializer = result_serializer(app.conf, app.broker)
        self._limit = app.conf.max_payload_size
        self._ask = keep
        self._await_ask = await_keep
        self._pid = os.getpid()

    def now(self) -> float:
        return self._broker.clock()

    def load(self, delivery: Delivery) -> list[Step]:
        return self._insist(lambda: self._broker.steps(delivery.message.id))

    def keep(self, delivery: Delivery, step: Step) -> None:
        # A process that the task has forked has no stream to the supervisor of its own.
        keep = self._ask if os.getpid() == self._pid else None
        self._check((keep or self._write)(delivery, step), step)

    async def await_load(self, delivery: Delivery) -> list[Step]:
        if self._await_ask is None:  # no other task runs in this loop
            return self.load(delivery)
        from asyncio import get_running_loop  # 50 ms, which tasks without coroutines do not pay

        return await get_running_loop().run_in_executor(self._threads, self.load, delivery)

    async def await_keep(self, delivery: Delivery, step: Step) -> None:
        if self._await_ask is not None and os.getpid() == self._pid:
            self._check(await self._await_ask(delivery, step), step)
        else:
            from asyncio import to_thread

            await to_thread(self.keep, delivery, step)  # other coroutines of the task go on

    def _check(self, kept: bool, step: Step) -> None:
        if not kept:
            raise ClaimLost(f"the claim was lost: the step {step.name!r} is not stored")

    @cached_property
    def _threads(self) -> "ThreadPoolExecutor":
        """Return threads that no task can use up, as it can those of its loop."""
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(_THREADS, "liteq-steps")

    def encoded(self, value: Any, what: str) -> tuple[bytes, str]:
        try:
            data = self._serializer.dumps(value)
        except SerializationError as exc:
            raise SerializationError(f"{what} is a {type(value).__name__}: {exc}") from None
        if len(data) > self._limit:
            raise too_large(f"{what} is", data, self._limit)
        return data, self._serializer.name

    def encoded_error(self, error: BaseException) -> tuple[bytes, str]:
        return stored_failure(error, self._serializer)

    def decoded(self, step: Step) -> Any:
        return self._app.backend.step_value(step)

    def results_of(self, step: Step) -> list[Any] | BaseException | None:
        try:
            sent = json.loads(step.value or b"[]")
            results = [result_from_tuple(each, self._app) for each in sent]
        except UNREADABLE as exc:
            raise InvalidTaskError(
                f"the tasks of the step {step.name!r} cannot be read: {exc}"
            ) from exc
        leaves = [leaf for result in results for leaf in result.leaves()]
        ids = [leaf.id for leaf in leaves]
        for id, record in zip(ids, self._insist(lambda: self._broker.fetch(ids)), strict=True):
            if record is None:
                return TaskError(f"the result of the task {id} was deleted before it was gathered")
            if not record.phase.final:
                return None
        values = [self._insist(partial(_value_of, result)) for result in results]
        failed = next((leaf for leaf in leaves if leaf.known_failure), None)
        if failed is None:
            return values
        error: BaseException = _value_of(failed)
        return error

    def _write(self, delivery: Delivery, step: Step) -> bool:
        """Write a step; return False if the claim was lost."""
        settlement = decide_step(delivery, step, self.now())
        return not self._insist(lambda: self._broker.settle([settlement])).refused

    def _insist(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; run it again while the store is locked or away.

        As a supervisor does: a task that has steps does not fail because the store did for a while.
        """
        store = StoreBackoff(logger)
        while True:
            try:
                value = work()
            except BrokerUnavailable as exc:
                store.failed("steps", exc)
                time.sleep(store.pause)
            else:
                store.succeeded("steps")
                return value


def _value_of(result: Any) -> Any:
    """Return the value of a result that is there, or the error; of a group, the list of both."""
    return result.get(timeout=0, propagate=False, disable_sync_subtasks=False)
