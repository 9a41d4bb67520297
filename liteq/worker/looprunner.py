"""The runner of deliveries in a process that runs many of them in one event loop."""

from time import perf_counter

from ..execution.awaiting import await_attempt
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..pools.base import LoopRuns
from ..support.coroutines import is_async
from ..support.driving import Driver
from ..support.interruption import Ended, Interruption
from .runner import Runner
from .timelimits import unwrap


class LoopRunner(Runner):
    """A runner of coroutines in a loop, and of all other tasks in threads beside it."""

    def runs(self) -> LoopRuns:
        """Return its functions, for the child process."""
        return LoopRuns(self.is_async, self.run_in_loop, self.run_in_thread)

    def is_async(self, delivery: Delivery) -> bool:
        """Return whether the task of `delivery` is a coroutine."""
        task = self._tasks.get(delivery.task)
        return task is not None and is_async(task.run_target)

    async def run_in_loop(self, delivery: Delivery, driver: Driver) -> Outcome:
        """Do what `run` does, with a coroutine."""
        since = perf_counter()
        try:
            delivery, soft = unwrap(delivery, self._soft)
            delivery = self._definitions.apply(delivery)
            message = delivery.message
            task = self._tasks.get(message.task)
            if task is None:
                return self._not_here(delivery, message, since)
            context = self._context(delivery, message, task, soft)
            ending = await await_attempt(task, context, driver)
            return self._outcome(context, task, ending, since)
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the loop goes on
            return self._failed(delivery, None, exc, since)

    def run_in_thread(self, delivery: Delivery, interruption: Interruption) -> Outcome:
        """Do what `run` does, in a thread that can be told to end it."""
        try:
            return interruption.call(self.run, delivery)
        except Ended:
            return Outcome(Kind.TERMINATED)
