"""Two functions under one name of a task."""

from collections.abc import Callable
from typing import Any

from ..support.warning import warn
from ..task import Task
from .mainscript import describe_main

Function = Callable[..., Any]

_CURE = (
    "Give one of them another name: @app.task(name=...). A decorator between it and @app.task "
    "needs functools.wraps"
)
_DEEPEST = 3  # functions within functions that are compared: one may hold itself


def keeps(task: Task[..., Any], function: Function) -> bool:
    """Return whether `task` stays what it is when `function` is to be a task of its name as well.

    It does not at a prompt or in a notebook, where a function is defined again to replace the
    earlier one. Elsewhere it does, with a warning if the two are different functions.
    """
    first = type(task).run
    if _at_prompt(function):
        return _unwrapped(first) is _unwrapped(function)
    if is_same(first, function):
        return True
    warn(
        f"two functions are registered as the task {task.name!r}: {_place(first)} runs, and "
        f"{_place(function)} never does. {_CURE}",
    )
    return True


def warn_of_replaced(old: Task[..., Any], new: Task[..., Any]) -> None:
    """Warn if the code of the task `old` differs from that of `new`, which takes its name."""
    first, second = type(old).run, type(new).run
    if not is_same(first, second):
        warn(
            f"two tasks are registered as {new.name!r}: {_place(second)} replaces "
            f"{_place(first)}. {_CURE}",
        )


def is_same(one: Function, other: Function, depth: int = _DEEPEST) -> bool:
    """Return whether two functions come from one definition, with the same values around it.

    A module that is imported under two names has each of its functions twice.
    """
    one, other = _unwrapped(one), _unwrapped(other)
    if one is other or not depth:
        return True
    if _definition(one) != _definition(other):
        return False
    pairs = zip(_values_around(one), _values_around(other), strict=False)
    return all(_is_same_value(a, b, depth - 1) for a, b in pairs)


def _unwrapped(function: Function) -> Function:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def _definition(function: Function) -> tuple[object, ...]:
    """Return the file, the line and the qualified name of the function that decorators wrapped."""
    function = _unwrapped(function)
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", None)
    if code is None:
        return getattr(function, "__module__", None), 0, name
    return code.co_filename, code.co_firstlineno, name


def _values_around(function: Function) -> list[Any]:
    """Return the values of the variables that `function` has from the functions around it."""
    values = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            values.append(None)
    return values


def _is_same_value(a: Any, b: Any, depth: int) -> bool:
    if a is b:
        return True
    if hasattr(a, "__code__") and hasattr(b, "__code__"):
        return is_same(a, b, depth)
    if type(a).__qualname__ != type(b).__qualname__:
        return False
    kind: Any = type(a)
    if kind.__eq__ is object.__eq__:
        return True  # of a module that is imported twice, or not: nobody can tell
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - a user's `__eq__` can raise anything
        return True


def _place(function: Function) -> str:
    """Return where `function` is defined, and the functions it was made around."""
    file, line, name = _definition(function)
    around = [each for each in _values_around(function) if hasattr(each, "__code__")]
    inside = f", around {', '.join(map(_place, around[:1]))}" if around else ""
    return f"{name} ({file}:{line}{inside})"


def _at_prompt(function: Function) -> bool:
    if function.__module__ != "__main__":
        return False
    return describe_main() is None or str(_definition(function)[0]).startswith("<")
