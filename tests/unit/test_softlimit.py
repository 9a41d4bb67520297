"""Soft time limits, in the main thread and in others."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from liteq.exceptions import SoftTimeLimitExceeded
from liteq.execution.softlimit import call_within


def here(function: Callable[[], Any]) -> Any:
    return function()


def in_a_thread(function: Callable[[], Any]) -> Any:
    answers: list[Any] = []

    def work() -> None:
        try:
            answers.append(function())
        except BaseException as exc:
            answers.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    (answer,) = answers
    if isinstance(answer, BaseException):
        raise answer
    return answer


everywhere = pytest.mark.parametrize("where", [here, in_a_thread])


def spin(seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


@everywhere
def test_a_call_that_ends_in_time_is_not_interrupted(where: Callable[..., Any]) -> None:
    assert where(lambda: call_within(5, spin, (0.01,), {})) == "done"


@everywhere
def test_a_call_that_runs_too_long_gets_the_exception(where: Callable[..., Any]) -> None:
    began = time.monotonic()
    with pytest.raises(SoftTimeLimitExceeded):
        where(lambda: call_within(0.1, spin, (20,), {}))

    assert time.monotonic() - began < 10


@everywhere
def test_a_call_that_catches_the_exception_is_not_interrupted_again(
    where: Callable[..., Any],
) -> None:
    def careful() -> str:
        try:
            return spin(20)
        except SoftTimeLimitExceeded:
            return "cleaned up"

    assert where(lambda: call_within(0.1, careful, (), {})) == "cleaned up"


TRACED = """
import sys, threading
from liteq.execution.softlimit import call_within

def spin():
    try:
        while True:
            pass
    except Exception:
        return "caught"

def work():
    print(call_within({seconds}, {function}, (), {{}}), flush=True)
    sys.settrace(lambda *_: None)
    (lambda: None)()
    print("traced", flush=True)

thread = threading.Thread(target=work, daemon=True)
thread.start()
thread.join(20)
"""


@pytest.mark.parametrize(
    ("seconds", "function", "answer"), [(5, "lambda: 'done'", "done"), (0.1, "spin", "caught")]
)
def test_the_thread_can_be_traced_afterwards_as_by_a_debugger(
    seconds: float, function: str, answer: str
) -> None:
    code = TRACED.format(seconds=seconds, function=function)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)

    assert run.stdout.split() == [answer.encode(), b"traced"]


def test_in_the_main_thread_a_blocking_call_is_interrupted_too() -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        call_within(0.1, time.sleep, (20,), {})


@everywhere
def test_at_the_boundary_it_is_one_or_the_other_and_nothing_comes_after(
    where: Callable[..., Any],
) -> None:
    def many() -> set[str]:
        ends = set()
        for n in range(300):
            try:
                ends.add(call_within(0.001, spin, (0.001 + (n - 150) * 1e-6,), {}))
            except SoftTimeLimitExceeded:
                ends.add("late")
        spin(0.05)  # nothing is left that could still strike here
        return ends

    assert where(many) <= {"done", "late"}
