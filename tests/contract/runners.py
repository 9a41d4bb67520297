"""A runner without an application, for tests of pools: the name of a task is what it does."""

import asyncio
import ctypes
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from liteq.exceptions import BrokerRefused
from liteq.model.message import Delivery
from liteq.model.outcome import Kind, Outcome
from liteq.model.step import Step
from liteq.pools.base import (
    AwaitKeepStep,
    KeepStep,
    Limits,
    LoopRuns,
    Run,
    RunnerSpec,
    SendState,
)
from liteq.support.driving import Driver
from liteq.support.interruption import Ended, Interruption

NO_LIMITS = Limits()


def spec(*, limits: Limits = NO_LIMITS, make: str = "make", processes: int = 1) -> RunnerSpec:
    module = "tests.contract.runners"
    preload = f"{module}:{'fail' if make == 'fail' else 'load'}"
    here = functools.partial(make_runner, {})
    in_loop = f"{module}:{make}" if make == "fail" else f"{module}:make_in_loop"
    return RunnerSpec(
        preload,
        f"{module}:{make}",
        {},
        here,
        limits,
        make_in_loop=in_loop,
        processes=processes,
    )


def load(spec: dict[str, Any]) -> None:
    pass


def fail(
    spec: dict[str, Any],
    report: SendState | None = None,
    keep: KeepStep | None = None,
    await_keep: AwaitKeepStep | None = None,
) -> Run:
    raise RuntimeError("this application cannot be imported")


def make_runner(spec: dict[str, Any], report: SendState, keep: KeepStep | None = None) -> Run:
    def run(delivery: Delivery) -> Outcome:
        message = delivery.message
        name, _, argument = message.task.partition(" ")
        if name == "keep" and keep is not None:
            return Outcome(Kind.SUCCEEDED, _keep(argument, delivery, keep), "json")
        return Outcome(Kind.SUCCEEDED, DEEDS[name](argument, message.id, report), "json")

    return run


make = make_runner


def make_in_loop(
    spec: dict[str, Any], report: SendState, keep: KeepStep, await_keep: AwaitKeepStep
) -> LoopRuns:
    """Each deed is a coroutine, but for "thread X", which does X in a thread."""
    run = make_runner(spec, report)

    async def in_loop(delivery: Delivery, driver: Driver) -> Outcome:
        name, _, argument = delivery.task.partition(" ")
        try:
            result = await driver.drive(in_coroutine(name, argument, delivery))
        except asyncio.CancelledError:
            return Outcome(Kind.FAILED)
        return Outcome(Kind.SUCCEEDED, result, "json")

    async def in_coroutine(name: str, argument: str, delivery: Delivery) -> bytes | None:
        if name == "keep":
            return await _await_kept(argument, delivery, await_keep)
        if name in WAITS:
            return await WAITS[name](argument)
        return run(delivery).result

    def in_thread(delivery: Delivery, interruption: Interruption) -> Outcome:
        try:
            deed = delivery.task.removeprefix("thread ")
            return interruption.call(run, delivery._replace(task=deed))
        except Ended:
            return Outcome(Kind.FAILED)

    return LoopRuns(lambda delivery: not delivery.task.startswith("thread"), in_loop, in_thread)


async def _await_kept(argument: str, delivery: Delivery, keep: AwaitKeepStep) -> bytes:
    step = Step(argument, "step", 1.5, None, b"value", "json")
    try:
        return str(await keep(delivery, step)).encode()
    except BrokerRefused as exc:
        return str(exc).encode()


async def _nap_in_loop(argument: str) -> bytes:
    await asyncio.sleep(float(argument))
    return b"rested"


async def _await_in_loop(argument: str) -> bytes:
    while not is_there(argument):  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.005)
    return b"rested"


async def _after(argument: str) -> bytes:
    """Let the loop turn for a while, then note that at the path `argument`."""
    await asyncio.sleep(0.3)
    touch(argument)
    return b"noted"


async def _block(argument: str) -> bytes:
    """Block the loop."""
    time.sleep(float(argument))  # noqa: ASYNC251 - that is what it is for
    return b"blocked"


def is_there(path: str) -> bool:
    return Path(path).exists()


def touch(path: str) -> None:
    Path(path).touch()


async def _linger(argument: str) -> bytes:
    """Wait for ever; when cancelled, note that at the path `argument` first."""
    try:
        await asyncio.Event().wait()
    finally:
        touch(argument)
    return b""


async def _refuse(argument: str) -> bytes:
    """Wait for ever, whatever is raised; note the first time at the path `argument`."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            touch(argument)


async def _stray(argument: str) -> bytes:
    """Start a task of asyncio that raises SystemExit, and await it."""

    async def leave() -> None:
        raise SystemExit(3)

    started = asyncio.create_task(leave())
    await asyncio.wait([started])
    return repr(started.exception()).encode()


WAITS = {
    "nap": _nap_in_loop,
    "await": _await_in_loop,
    "linger": _linger,
    "refuse": _refuse,
    "stray": _stray,
    "after": _after,
    "block": _block,
}


def _keep(argument: str, delivery: Delivery, keep: KeepStep) -> bytes:
    """Have a step stored that is called `argument`; return the answer."""
    step = Step(argument, "step", 1.5, None, b"value", "json")
    try:
        return str(keep(delivery, step)).encode()
    except BrokerRefused as exc:
        return str(exc).encode()


def _pid(argument: str, id: str, report: SendState) -> bytes:
    return str(os.getpid()).encode()


def _echo(argument: str, id: str, report: SendState) -> bytes:
    return argument.encode()


def _large(argument: str, id: str, report: SendState) -> bytes:
    return b"x" * int(argument)


def _nap(argument: str, id: str, report: SendState) -> bytes:
    time.sleep(float(argument))
    return b"rested"


def _await(argument: str, id: str, report: SendState) -> bytes:
    while not Path(argument).exists():
        time.sleep(0.005)
    return b"rested"


def _hold(argument: str, id: str, report: SendState) -> bytes:
    """Wait for a byte from the pipe at `argument`, in C code that holds the interpreter lock."""
    pipe = os.open(argument, os.O_RDONLY)
    ctypes.PyDLL(None).read(pipe, ctypes.create_string_buffer(1), 1)
    os.close(pipe)
    return b"held"


def _stop(argument: str, id: str, report: SendState) -> bytes:
    os.kill(os.getpid(), signal.SIGSTOP)
    return b"continued"


def _note(argument: str, id: str, report: SendState) -> bytes:
    with Path(argument).open("a") as file:
        file.write(f"{id}\n")
    return b"noted"


def _die(argument: str, id: str, report: SendState) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    return b""


def _exit(argument: str, id: str, report: SendState) -> bytes:
    os._exit(int(argument))


def _progress(argument: str, id: str, report: SendState) -> bytes:
    report(id, "PROGRESS", argument.encode(), "json")
    return b"sent"


def _leave(argument: str, id: str, report: SendState) -> bytes:
    """Start a program that outlives the task; return its pid."""
    program = [sys.executable, "-c", "import time; time.sleep(300)"]
    return str(subprocess.Popen(program).pid).encode()


def _leave_and_die(argument: str, id: str, report: SendState) -> bytes:
    Path(argument).write_bytes(_leave("", id, report))
    return _die("", id, report)


def _stdin(argument: str, id: str, report: SendState) -> bytes:
    return repr(sys.stdin.read() if sys.stdin else None).encode()


def _hurry(argument: str, id: str, report: SendState) -> bytes:
    """Switch between threads as often as possible, so that races are lost more often."""
    sys.setswitchinterval(1e-9)
    return b""


DEEDS = {
    "hurry": _hurry,
    "pid": _pid,
    "echo": _echo,
    "large": _large,
    "nap": _nap,
    "await": _await,
    "hold": _hold,
    "stop": _stop,
    "note": _note,
    "die": _die,
    "exit": _exit,
    "progress": _progress,
    "leave": _leave,
    "leave_and_die": _leave_and_die,
    "stdin": _stdin,
}
