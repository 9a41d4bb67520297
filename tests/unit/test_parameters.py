"""Checks of the arguments of a call."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from liteq.support.parameters import Parameters


def plain(x: int, y: int = 0) -> None: ...
def keyword_only(x: int, *, y: int) -> None: ...
def anything(*args: Any, **kwargs: Any) -> None: ...
def positional(x: int, /, *more: int) -> None: ...


class Thing:
    def method(self, x: int) -> None: ...
    def collecting(self, *args: int) -> None: ...
    def __call__(self, x: int) -> None: ...


@functools.wraps(plain)
def decorated(*args: Any) -> None: ...


FITTING: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (plain, (1,), {}),
    (plain, (1, 2), {}),
    (plain, (), {"x": 1}),
    (plain, (1,), {"y": 2}),
    (keyword_only, (1,), {"y": 2}),
    (anything, (1, 2, 3), {"z": 4}),
    (positional, (1, 2, 3), {}),
    (Thing().method, (1,), {}),
    (Thing().collecting, (), {}),
    (Thing(), (1,), {}),
    (functools.partial(plain, 1), (2,), {}),
    (decorated, (1, 2, 3, 4), {}),  # the decorator may change the arguments
    (max, (1, 2), {}),  # builtins have no signature
]
MISFITS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (plain, (), {}, "missing a required argument: 'x'"),
    (plain, (1, 2, 3), {}, "too many positional arguments"),
    (plain, (1,), {"z": 2}, "got an unexpected keyword argument 'z'"),
    (plain, (1,), {"x": 2}, "multiple values for argument 'x'"),
    (keyword_only, (1,), {}, "argument: 'y'"),  # 3.13 has a longer message
    (positional, (), {"x": 1}, "'x'"),
    (Thing().method, (), {}, "missing a required argument: 'x'"),
    (Thing(), (), {}, "missing a required argument: 'x'"),
    (functools.partial(plain, 1), (2, 3), {}, "too many positional arguments"),
]


@pytest.mark.parametrize(("function", "args", "kwargs"), FITTING)
def test_a_call_that_fits_passes(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    Parameters(function, "task").check(args, kwargs)


@pytest.mark.parametrize(("function", "args", "kwargs", "reason"), MISFITS)
def test_a_call_that_does_not_fit_is_a_type_error_that_names_the_task(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TypeError, match=r"^task") as caught:
        Parameters(function, "task").check(args, kwargs)

    assert reason in str(caught.value)


def test_new_arguments_take_the_place_of_keywords_of_the_same_name() -> None:
    merged = Parameters(plain, "task").merge((), {"x": 1, "y": 2}, (5,), None)

    assert merged == ((5,), {"y": 2})


def test_new_keywords_take_the_place_of_arguments_of_the_same_name() -> None:
    merged = Parameters(plain, "task").merge((1, 2), {}, None, {"x": 5})

    assert merged == ((), {"x": 5, "y": 2})


def test_with_both_given_nothing_is_kept_and_with_none_everything() -> None:
    parameters = Parameters(plain, "task")

    assert parameters.merge((1,), {"y": 2}, (3,), {}) == ((3,), {})
    assert parameters.merge((1,), {"y": 2}, None, None) == ((1,), {"y": 2})
