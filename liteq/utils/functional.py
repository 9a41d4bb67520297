"""Small helpers for functions and lists: those of Celery's `celery.utils.functional` in use."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache as memoize
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

__all__ = [
    "chunks",
    "dictfilter",
    "first",
    "fun_accepts_kwargs",
    "fun_takes_argument",
    "is_list",
    "maybe_list",
    "memoize",
    "noop",
    "padlist",
    "pass1",
    "uniq",
]


def chunks(it: Iterable[T], n: int) -> Iterator[list[T]]:
    """Yield lists of `n` items of `it`; the last one may be shorter."""
    items = iter(it)
    while chunk := list(islice(items, n)):
        yield chunk


def dictfilter(d: Mapping[str, Any] | None = None, /, **kw: Any) -> dict[str, Any]:
    """Return the items of `d` and `kw` whose value is not None."""
    return {name: value for name, value in {**(d or {}), **kw}.items() if value is not None}


def first(predicate: Callable[[T], object] | None, it: Iterable[T]) -> T | None:
    """Return the first item for which `predicate` is true, or that is not None; None if none is."""
    matches = predicate or (lambda item: item is not None)
    return next((item for item in it if matches(item)), None)


def fun_accepts_kwargs(fun: Callable[..., Any]) -> bool:
    """Return whether `fun` takes any keyword argument."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(fun).parameters.values())


def fun_takes_argument(name: str, fun: Callable[..., Any], position: int | None = None) -> bool:
    """Return whether `fun` takes an argument `name`, or at least `position` arguments."""
    parameters = inspect.signature(fun).parameters
    if name in parameters or any(
        p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters.values()
    ):
        return True
    return position is not None and len(parameters) >= position


def is_list(obj: object, scalars: tuple[type, ...] = (Mapping, str)) -> bool:
    """Return whether `obj` can be iterated over, and is none of `scalars`."""
    return isinstance(obj, Iterable) and not isinstance(obj, scalars or ())


def maybe_list(obj: Any, scalars: tuple[type, ...] = (Mapping, str)) -> Any:
    """Return a list of `obj` alone, unless it is a list of its own sort, or None."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def noop(*args: Any, **kwargs: Any) -> None:
    """Do nothing, whatever the arguments."""


def padlist(container: Iterable[Any], size: int, default: Any = None) -> list[Any]:
    """Return the first `size` items of `container`, with `default` for those that are missing."""
    items = list(islice(container, size))
    return items + [default] * (size - len(items))


def pass1(arg: T, *args: Any, **kwargs: Any) -> T:
    """Return the first argument."""
    return arg


def uniq(it: Iterable[T]) -> Iterator[T]:
    """Yield each item of `it` once, in order."""
    yield from dict.fromkeys(it)
