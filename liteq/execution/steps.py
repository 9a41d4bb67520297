"""Durable steps of one run of a task: what `step`, `sleep`, `wait_for` and `gather` do.

In a worker, what has ended is in the store, and a run that repeats a name gets what is there. A
direct call, and `apply`, remember it only until they have ended, and neither sleep nor wait.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from ..exceptions import EventTimeoutError, StepError
from ..model.message import Delivery
from ..model.outcome import Kind
from ..model.step import Step, StepKind

Until = Callable[[float], float | None]
"""Takes the time now; returns the moment that a sleep or a wait ends. None: never. Epoch seconds"""

Function = Callable[..., Any]
Kwargs = Mapping[str, Any]

FindEvent = Callable[[str], tuple[Any] | None]
"""Takes the key of an event; returns its value in a tuple, None if it was not emitted."""

_LOOK_AGAIN = 1.0  # seconds until it is looked again at a task that is not expected to run


class Suspended(BaseException):
    """The end of a run that goes on later, from the start of the task.

    It is no Exception, so that the `except Exception` of a task lets it through.
    """

    def __init__(self, kind: Kind, step: Step | None, eta: float | None, calls: Any = ()) -> None:
        self.kind = kind
        self.step = step  # that goes on; None: it only runs again, at `eta`
        self.eta = eta  # epoch seconds
        self.calls = calls  # GATHERED: the signatures that are to be sent
        super().__init__(kind, step, eta)

    def __str__(self) -> str:
        words = {Kind.SLEPT: "sleeps", Kind.AWAITED: "waits for the event"}
        name = "" if self.step is None else f" {self.step.name!r}"
        return f"it {words.get(self.kind, 'waits for the tasks of')}{name}"


class StepStore(Protocol):
    """The store of steps, as the process that runs tasks sees it."""

    def now(self) -> float:
        """Return the time by the clock of the store, in epoch seconds."""

    def load(self, delivery: Delivery) -> list[Step]:
        """Return the steps that the task has by now."""

    def keep(self, delivery: Delivery, step: Step) -> None:
        """Store a step that has ended; return once it is certain. Raises ClaimLost."""

    async def await_load(self, delivery: Delivery) -> list[Step]:
        """Do what `load` does; where a loop runs many tasks, do not block it."""

    async def await_keep(self, delivery: Delivery, step: Step) -> None:
        """Do what `keep` does, and never block the loop. Raises ClaimLost."""

    def encoded(self, value: Any, what: str) -> tuple[bytes, str]:
        """Return `value` as bytes, and its serializer. Raises InvalidTaskError."""

    def encoded_error(self, error: BaseException) -> tuple[bytes, str]:
        """Return an error as bytes, and the serializer that reads them."""

    def decoded(self, step: Step) -> Any:
        """Return the value of a step; of one that failed, the error."""

    def results_of(self, step: Step) -> list[Any] | BaseException | None:
        """Return the values of the tasks that a GATHER has sent, or the error of one that failed.

        None: one of them has not ended. Raises InvalidTaskError for a step that cannot be read.
        """


class Steps(ABC):
    """The steps of one run."""

    suspended: Suspended | None = None
    """How the run has ended, even if the code of the task has caught it."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def begin(self, name: str) -> None:
        """Note that the run has come to the step `name`. Raises StepError if it did before."""
        if name in self._used:
            raise StepError(
                f"the step {name!r} is in this run already: give each step of a task a name of "
                "its own, in a loop for instance with the id of the item"
            )
        self._used.add(name)

    @abstractmethod
    def run(self, name: str, function: Function, args: Sequence[Any], kwargs: Kwargs) -> Any:
        """Return what `function` returned, in this run or in an earlier one."""

    @abstractmethod
    async def run_async(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Return what the coroutine of `function` returned; else as `run`."""

    @abstractmethod
    def sleep(self, name: str, until: Until) -> None:
        """Return if the time is over. Raises Suspended if it is not."""

    @abstractmethod
    def wait_for(self, key: str, until: Until) -> Any:
        """Return the value of an event. Raises Suspended, or EventTimeoutError."""

    @abstractmethod
    def gather(self, name: str, calls: Sequence[Any]) -> list[Any]:
        """Return the values of tasks, which are sent once. Raises Suspended, or their error."""


class StoredSteps(Steps):
    """The steps of a run in a worker."""

    def __init__(self, delivery: Delivery, store: StepStore) -> None:
        super().__init__()
        self._delivery = delivery
        self._store = store
        self._found: dict[str, Step] | None = None  # loaded on use

    def run(self, name: str, function: Function, args: Sequence[Any], kwargs: Kwargs) -> Any:
        step = self._earlier(name, StepKind.STEP)
        if step is None:
            step = self._done(name, function(*args, **kwargs))
            self._keep(step)
        return self._value(step)

    async def run_async(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        self.begin(name)  # before another coroutine of the task can
        if self._found is None:
            self._note_found(await self._store.await_load(self._delivery))
        step = self._found_of(name, StepKind.STEP)
        if step is None:
            step = self._done(name, await function(*args, **kwargs))
            await self._store.await_keep(self._delivery, step)
        return self._value(step)

    def _done(self, name: str, value: Any) -> Step:
        data, serializer = self._store.encoded(value, f"what the step {name!r} returned")
        return Step(name, StepKind.STEP.value, self._store.now(), None, data, serializer)

    def sleep(self, name: str, until: Until) -> None:
        now = self._store.now()
        step = self._earlier(name, StepKind.SLEEP)
        step = step or Step(name, StepKind.SLEEP.value, now, until(now))
        # One without an end was changed by hand: it must not be looked at again and again.
        if step.until is not None and not step.ended(now):
            raise self._suspended(Kind.SLEPT, step)

    def wait_for(self, key: str, until: Until) -> Any:
        now = self._store.now()
        earlier = self._earlier(key, StepKind.WAIT)
        if earlier is not None and earlier.serializer is not None:
            return self._value(earlier)
        if earlier is not None and earlier.ended(now):
            raise EventTimeoutError(f"the event {key!r} did not come in time")
        # Also for a time that is over: the store knows whether the event has come.
        step = earlier or Step(key, StepKind.WAIT.value, now, until(now))
        raise self._suspended(Kind.AWAITED, step)

    def gather(self, name: str, calls: Sequence[Any]) -> list[Any]:
        step = self._earlier(name, StepKind.GATHER)
        now = self._store.now()
        if step is None and not calls:
            return []
        if step is None:
            step = Step(name, StepKind.GATHER.value, now)
            raise self._suspended(Kind.GATHERED, step, calls)
        if step.serializer is None:
            step = self._gathered(step, now)
        value = self._value(step)
        if step.failed:
            raise value
        return list(value)

    def _gathered(self, step: Step, now: float) -> Step:
        """Return a GATHER with what became of its tasks, which have ended, and keep it.

        Their own results may be deleted once this task waits for others.
        """
        found = self._store.results_of(step)
        if found is None:  # one of them was revived since: look again later
            raise self._noted(Suspended(Kind.SNOOZED, None, now + _LOOK_AGAIN))
        if failed := isinstance(found, BaseException):
            data, serializer = self._store.encoded_error(found)
        else:
            data, serializer = self._store.encoded(found, f"what the step {step.name!r} gathered")
        step = step._replace(at=now, value=data, serializer=serializer, failed=failed)
        self._keep(step)
        return step

    def _earlier(self, name: str, kind: StepKind) -> Step | None:
        """Return the step as an earlier run has left it; None if none has come to it."""
        self.begin(name)
        if self._found is None:
            self._note_found(self._store.load(self._delivery))
        return self._found_of(name, kind)

    def _note_found(self, steps: Sequence[Step]) -> None:
        self._found = {step.name: step for step in steps}

    def _found_of(self, name: str, kind: StepKind) -> Step | None:
        assert self._found is not None
        step = self._found.get(name)
        if step is not None and step.kind != kind:
            raise StepError(
                f"the step {name!r} was a {step.kind} in an earlier run of this task, and is a "
                f"{kind} now: give the new one another name"
            )
        return step

    def _keep(self, step: Step) -> None:
        self._store.keep(self._delivery, step)

    def _value(self, step: Step) -> Any:
        return self._store.decoded(step)

    def _suspended(self, kind: Kind, step: Step, calls: Sequence[Any] = ()) -> Suspended:
        return self._noted(Suspended(kind, step, step.until, calls))

    def _noted(self, suspended: Suspended) -> Suspended:
        self.suspended: Suspended | None = suspended
        return suspended


class LocalSteps(Steps):
    """The steps of a direct call, or of `apply`: they are remembered in `kept`, by name.

    Nothing sleeps or waits there: a sleep is over at once, and an event has come or never comes.
    """

    def __init__(self, kept: dict[str, Any], find_event: FindEvent) -> None:
        super().__init__()
        self._kept = kept
        self._find_event = find_event

    def run(self, name: str, function: Function, args: Sequence[Any], kwargs: Kwargs) -> Any:
        self.begin(name)
        if name not in self._kept:
            self._kept[name] = function(*args, **kwargs)
        return self._kept[name]

    async def run_async(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        self.begin(name)
        if name not in self._kept:
            self._kept[name] = await function(*args, **kwargs)
        return self._kept[name]

    def sleep(self, name: str, until: Until) -> None:
        self.begin(name)
        until(0.0)  # raises for what is no time

    def wait_for(self, key: str, until: Until) -> Any:
        self.begin(key)
        until(0.0)
        found = self._find_event(key)
        if found is None:
            raise EventTimeoutError(
                f"the event {key!r} was not emitted before: a direct call and apply() do not wait"
            )
        return found[0]

    def gather(self, name: str, calls: Sequence[Any]) -> list[Any]:
        self.begin(name)
        if name not in self._kept:
            results = [call.apply() for call in calls]
            self._kept[name] = [each.get(disable_sync_subtasks=False) for each in results]
        return list(self._kept[name])
