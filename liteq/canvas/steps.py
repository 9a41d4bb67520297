"""Durable steps, as tasks call them: `step`, `sleep`, `wait_for`, `gather`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ..exceptions import InvalidTaskError
from ..execution.context import Context
from ..execution.steps import Steps
from ..sending.blocks import refuse_in_block
from ..sending.eta import moment
from ..sending.options import check_name
from ..support.coroutines import is_async

P = ParamSpec("P")
R = TypeVar("R")


class DurableSteps:
    """The methods of a bound task that give its steps names.

    A task that runs again, after a retry, a crash or a sleep, begins at its start. What a step did
    is not done again: its value comes from the store. Code outside of steps does run again.
    """

    @property
    def request(self) -> Context:
        """Return the context of the current run."""
        raise NotImplementedError

    @property
    def _steps(self) -> Steps:
        refuse_in_block("a durable step")
        return self.request.steps

    def step(self, name: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function` with these arguments, once; return its value as the store keeps it.

        Once it has returned, and that is stored, no later run of this task calls it again. If it
        raises, nothing is stored, and a later run does. `name`: unique in the task. The step of an
        `async def` function is awaited: `await self.step("charge", charge, 17)`.

        Raises StepError for a name that this run has had, SerializationError for a value that
        cannot be encoded, and PayloadTooLarge for one beyond `max_payload_size`: nothing is
        stored then.
        """
        name = _step_name(name, "self.step('charge', function, ...)")
        if not callable(function):
            raise TypeError(
                f"the step {name!r} takes a function, which it calls, not {function!r:.99}: "
                f"self.step({name!r}, function, ...) with the arguments of the function"
            )
        steps = self._steps
        run: Callable[..., Any] = steps.run_async if is_async(function) else steps.run
        value: R = run(name, function, args, kwargs)
        return value

    def sleep(
        self,
        name: str,
        until: datetime | timedelta | float | None = None,
        /,
        *,
        days: float | None = None,
        hours: float | None = None,
        minutes: float | None = None,
        seconds: float | None = None,
    ) -> None:
        """Sleep without a slot of a worker: the run ends here, and the task runs again later.

        `until`: a datetime (without a zone it is local time), a timedelta, or seconds; or give
        the units. The moment is kept under `name`: a retry does not sleep anew. In a direct call
        and in `apply` it does nothing.

        Raises StepError for a name that this run has had, InvalidTaskError for what is no time.
        """
        name = _step_name(name, "self.sleep('cool down', seconds=5)")
        units = {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
        given = {unit: number for unit, number in units.items() if number is not None}
        if (until is None) is (not given):
            raise TypeError(
                "sleep() takes a time, or days, hours, minutes and seconds: "
                f"self.sleep({name!r}, seconds=5)"
            )
        when = _timedelta(given) if until is None else until
        self._steps.sleep(name, partial(moment, "the time to sleep", when))

    def wait_for(self, key: str, timeout: timedelta | float | None = None) -> Any:
        """Wait without a slot of a worker until the event `key` is emitted; return its value.

        If it was emitted already, and is kept still, it is there at once. `timeout`: seconds, or a
        timedelta, from the first run that waits for it; None waits for as long as it takes. A
        direct call and `apply` do not wait.

        Raises EventTimeoutError when the time is over, StepError for a key that this run has
        waited for.
        """
        return self._steps.wait_for(
            check_name("key of an event", key), partial(moment, "timeout", timeout)
        )

    def gather(self, *signatures: Any, name: str = "gather") -> list[Any]:
        """Send tasks and wait for them without a slot of a worker; return their values in order.

        They are sent once, however often this task runs: their sending and this wait are one
        transaction. `name`: of the step; needed where a task gathers more than once.

        Raises the error of the first that failed, once all have ended, and StepError for a name
        that this run has had.
        """
        calls = [as_call(each) for each in signatures]
        return self._steps.gather(check_name("step name", name), calls)


def as_call(value: Any) -> Any:
    """Return `value` if it is a signature. Raises TypeError."""
    if hasattr(value, "freeze"):
        return value
    hint = ": put a * before it" if isinstance(value, list | tuple) else ""
    raise TypeError(
        f"gather() takes signatures, as task.s(...) makes them, not {value!r:.99}{hint}"
    )


def _timedelta(given: dict[str, float]) -> timedelta:
    """Return the time of these units. Raises InvalidTaskError when it is none."""
    try:
        return timedelta(**given)
    except (TypeError, ValueError, OverflowError) as exc:
        units = ", ".join(f"{unit}={number!r:.50}" for unit, number in given.items())
        raise InvalidTaskError(f"the time to sleep is {units}: {exc}") from None


def _step_name(name: Any, example: str) -> str:
    """Return `name` if it can be one of a step. Raises InvalidTaskError."""
    try:
        return check_name("step name", name)
    except InvalidTaskError as exc:
        if isinstance(name, str):
            raise
        raise InvalidTaskError(f"{exc}; it comes first, as in {example}") from None
