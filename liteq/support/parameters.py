"""The parameters of a task, by which a wrong call fails where it is made."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, MethodType
from typing import Any

_VARARGS = 0x04  # a flag of code objects


class Parameters:
    """The parameters of `function`, which errors call `name`.

    For positional calls, which most are, it is enough to count. Others are bound to the function's
    signature, which takes ten times as long and needs an import of 9 ms.
    """

    __slots__ = ("_bind", "_function", "_least", "_most", "_name")

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self._name = name
        self._least, self._most = _positional(function)
        self._bind: Callable[..., object] | None = None

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, as the call itself would, if the arguments do not fit."""
        if not kwargs and self._least <= len(args) <= self._most:
            return
        if self._bind is None:
            self._bind = _binder(self._function)
        try:
            self._bind(*args, **kwargs)
        except TypeError as exc:
            raise TypeError(f"{self._name}() {exc}") from None

    def merge(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        new_args: Sequence[Any] | None,
        new_kwargs: Mapping[str, Any] | None,
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return `args` and `kwargs`, replaced by `new_args` and `new_kwargs` where they are given.

        When only one is replaced, the other keeps what the new one does not give as well.
        """
        if new_args is not None:
            taken = self._names[: len(new_args)]
            kept = {name: value for name, value in kwargs.items() if name not in taken}
            return new_args, kept if new_kwargs is None else new_kwargs
        if new_kwargs is None:
            return args, kwargs
        names = self._names[: len(args)]
        first = next((n for n, name in enumerate(names) if name in new_kwargs), len(args))
        return args[:first], {**dict(zip(names[first:], args[first:], strict=False)), **new_kwargs}

    def positions_left(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
        """Return how many more positional arguments fit beside `args` and `kwargs`."""
        if self._most == sys.maxsize:
            return self._most
        return sum(name not in kwargs for name in self._names) - len(args)

    @property
    def _names(self) -> Sequence[str]:
        """Return the names of the parameters that may be given by position."""
        from inspect import Parameter, signature

        positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        parameters = signature(self._function, follow_wrapped=False).parameters
        return [name for name, each in parameters.items() if each.kind in positional]


def _positional(function: Callable[..., Any]) -> tuple[int, int]:
    """Return the least and most arguments that fit by position; an empty range if unknown."""
    bound = isinstance(function, MethodType)
    plain: Any = function.__func__ if isinstance(function, MethodType) else function
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType) or hasattr(plain, "__signature__"):
        return 1, 0
    if code.co_kwonlyargcount > len(plain.__kwdefaults__ or ()):
        return 1, 0
    most = code.co_argcount - bound
    least = most - len(plain.__defaults__ or ())
    return max(least, 0), sys.maxsize if code.co_flags & _VARARGS else most


def _binder(function: Callable[..., Any]) -> Callable[..., object]:
    from inspect import signature

    try:
        # Not the signature of the function that a decorator wrapped: it may add arguments itself.
        return signature(function, follow_wrapped=False).bind
    except ValueError:  # a builtin without a signature; a wrong call fails in the worker
        return lambda *args, **kwargs: None
