"""Tell type checkers what `@app.task` makes: of an `async def` function another type.

At run time both are a `Task`, and nothing is an instance of these.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from ..task import Task

P = ParamSpec("P")
R = TypeVar("R")


class AsyncTask(Task[P, R]):
    """A task of an `async def` function: its value is what the coroutine returns, `R`."""

    def __call__(  # type: ignore[override]
        self, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Return the coroutine: a plain call, as of the function."""
        raise NotImplementedError


class MakeTask(Protocol):
    """Make a task of a function, as what `@app.task(...)` returns does."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class MakeBoundTask(Protocol):
    """The same with `bind=True`: the function takes the task first."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...
