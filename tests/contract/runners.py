"""A runner without an application, for tests of pools: the name of a task is what it does."""

import ctypes
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
from liteq.pools.base import KeepStep, Limits, Run, RunnerSpec, SendState
from liteq.pools.output import Outputs, RunOutput

NO_LIMITS = Limits()


def spec(*, limits: Limits = NO_LIMITS, make: str = "make") -> RunnerSpec:
    module = "tests.contract.runners"
    preload = f"{module}:{'fail' if make == 'fail' else 'load'}"
    return RunnerSpec(preload, f"{module}:{make}", {}, make_here, limits)


def load(spec: dict[str, Any]) -> None:
    pass


def fail(spec: dict[str, Any], *parts: Any) -> Run:
    raise RuntimeError("this application cannot be imported")


def make_here(report: SendState, outputs: Outputs) -> Run:
    return make_runner({}, report, None, outputs)


def make_runner(
    spec: dict[str, Any], report: SendState, keep: KeepStep | None, outputs: Outputs
) -> Run:
    def run(delivery: Delivery) -> Outcome:
        message = delivery.message
        name, _, argument = message.task.partition(" ")
        if name == "keep" and keep is not None:
            return Outcome(Kind.SUCCEEDED, _keep(argument, delivery, keep), "json")
        if name == "print":
            return Outcome(Kind.SUCCEEDED, _print(argument, delivery, outputs), "json")
        return Outcome(Kind.SUCCEEDED, DEEDS[name](argument, message.id, report), "json")

    return run


make = make_runner


def _keep(argument: str, delivery: Delivery, keep: KeepStep) -> bytes:
    """Have a step stored that is called `argument`; return the answer."""
    step = Step(argument, "step", 1.5, None, b"value", "json")
    try:
        return str(keep(delivery, step)).encode()
    except BrokerRefused as exc:
        return str(exc).encode()


def _print(argument: str, delivery: Delivery, outputs: Outputs) -> bytes:
    """Print a line; with the path of a file, wait for that, and print what ends no line."""
    line, _, path = argument.partition(" ")
    output = RunOutput(delivery, outputs)
    output.write(1, f"{line}\n")
    if path:
        _await(path, "", _send_nothing)
        output.write(1, "at last")
    output.ended = True
    return b"printed"


def _send_nothing(*state: object) -> None:
    pass


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
