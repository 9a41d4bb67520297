"""Pools of child processes: how children are started, heard, replaced and ended.

There is one stream per child and no shared lock, so a child that is killed at any instant leaves
nothing locked, and no partial message on a stream of others. What a child runs is the business of
the pools themselves: `processes` and `loops`.
"""

import errno
import os
import signal
import socket
import sys
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from logging import Logger, getLogger
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any, Generic, TypeVar

from ..exceptions import InvalidTaskError
from ..model.checks import UNREADABLE, shown
from ..support.portable import forks
from ..support.standardstreams import fill_standard_streams
from .base import (
    CLAIM_LOST,
    PoolBroken,
    PoolEvents,
    RunnerSpec,
    Running,
    Slot,
    StepRequest,
)
from .childstate import ChildState
from .frames import Channel
from .launchers import Callbacks, Launcher
from .outcomes import state_of, step_of
from .protocol import (
    ANSWER,
    DRAIN,
    OUTCOMES,
    READY,
    RECORD,
    RETURNED,
    START_FAILED,
    STATE,
    STEP,
    Setup,
)
from .records import handle_record
from .resizing import Resizable
from .scoreboard import OwnScoreboard

logger: Logger = getLogger("liteq.worker")

_SHORTAGE_PAUSE = 1.0  # seconds until a start is tried again for which the machine had no room
_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}
_MAX_FAILED_STARTS = 5  # in one place in a row, before the pool is broken


C = TypeVar("C", bound=ChildState)


class ChildrenPool(Resizable, Generic[C]):
    """A pool that runs deliveries in child processes, one in each of its places."""

    kills = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        if sys.platform != "win32":  # there children do not inherit descriptors
            fill_standard_streams()
        self._scoreboard = OwnScoreboard(self.room)
        self.scoreboard: str | None = self._scoreboard.name
        self._children: dict[int, C] = {}  # by their places
        self._events = PoolEvents()
        self._tickets = 0
        self._start_error = ""  # the traceback of the last child that could not start
        self._terminating = False  # children that exit from now on do so because of us
        self._closed = False
        self._launcher: Launcher | None = None

    # what a pool says of its children

    @abstractmethod
    def _slots_of(self, child: C) -> Sequence[Slot]:
        """Return the slots that may hold something which `child` was given."""

    @abstractmethod
    def _enter(self, child: C) -> None:
        """Open the slots of `child`, which is ready."""

    @abstractmethod
    def _end(self, child: C, outcomes: Any) -> None:
        """Take in the outcomes that `child` has sent. Raises one of UNREADABLE."""

    @abstractmethod
    def _return(self, child: C, tickets: Any) -> None:
        """Take back what `child` has not started. Raises one of UNREADABLE."""

    @abstractmethod
    def _record_deaths(self, child: C, code: int | None) -> None:
        """Note what becomes of all that `child` held, which has exited."""

    @abstractmethod
    def _drain(self, child: C) -> None:
        """Give `child` nothing more; replace it."""

    def _setup(self) -> Setup:
        """Return the setup of the children."""
        return {
            "preload": self.spec.preload,
            "make": self.spec.make,
            "spec": self.spec.arguments,
            "limits": self.spec.limits,
            "log_levels": self.spec.log_levels,
            "scoreboard": self._scoreboard.handle,
        }

    def _all(self) -> Sequence[C]:
        """Return all children, those too that are replaced already."""
        return list(self._children.values())  # at once: another thread may ask

    # the port

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        callbacks = Callbacks(
            self._child_started,
            self._child_exited,
            self._start_failed,
            self._code_renewed,
            self._replace_unguarded,
        )
        self._launcher = self._make_launcher(self._setup(), callbacks)
        self._launcher.start(selector)
        for child in self._children.values():
            self._start_child(child)

    def running(self, slot: Slot) -> Running | None:
        started = self._scoreboard.read(slot.number)
        delivery = slot.holding.get(started.ticket)
        return delivery and Running(delivery, time.monotonic() - started.since)

    def answer(self, request: StepRequest, answer: str) -> None:
        for child in self._all():
            if child.pid == request.process:  # and not another one, which has replaced it
                self._send(child, (ANSWER, (request.number, answer)))

    def terminate(self) -> None:
        self._terminating = True
        for child in self._all():
            signal_group(child.pid, signal.SIGTERM)

    def refresh(self) -> None:
        for child in list(self._children.values()):
            self._drain(child)

    def renew(self) -> bool:
        assert self._launcher is not None
        self._launcher.renew()
        return True

    def collect(self) -> PoolEvents:
        if not (self._closed or any(slot.up for slot in self.slots)) and any(
            child.failed_starts >= _MAX_FAILED_STARTS for child in self._children.values()
        ):
            raise PoolBroken(self._start_error)
        events, self._events = self._events, PoolEvents()
        return events

    def tend(self) -> float | None:
        now = time.monotonic()
        children = self._children.values()
        for child in children:
            if child.start_at is not None and child.start_at <= now:
                self._start_child(child)
        if self._events:
            return 0.0  # what was recalled wakes no selector
        due = [child.start_at for child in children if child.start_at is not None]
        return max(min(due) - now, 0.0) if due else None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = self._terminating = True
        for child in self._all():
            kill_group(child.pid)
        if self._launcher is not None:
            self._launcher.close()
        for child in self._all():
            if child.channel is not None:
                self._receive(child, child.channel)
            self._record_deaths(child, None)
            self._close_channel(child)
        self._scoreboard.remove()

    def pids(self) -> list[int]:
        return [child.pid for child in self._all() if child.pid is not None]

    # starts and exits

    def _make_launcher(self, setup: Setup, callbacks: Callbacks) -> Launcher:
        """Return the fastest launcher that works on this platform."""
        if forks():
            from .forklauncher import ForkServerLauncher

            may_fork = self.spec.adopt is not None
            return ForkServerLauncher(setup, callbacks, self._adopt if may_fork else None)
        from .spawnlauncher import SpawnLauncher

        return SpawnLauncher(setup, callbacks)

    def _adopt(self) -> None:
        """Begin a fork server that is a fork of this process."""
        assert self.spec.adopt is not None
        self._scoreboard.unmap()
        self.spec.adopt()

    def _start_child(self, child: C) -> None:
        assert self._launcher is not None
        child.reset()
        self._clear(child)
        try:
            ours, theirs = socket.socketpair()
            child.channel = Channel(ours)
            self._selector.register(ours, EVENT_READ, partial(self._serve, child, child.channel))
            self._launcher.launch(child.place, theirs)
        except OSError as exc:
            if exc.errno not in _SHORTAGES:
                raise
            logger.warning("no process for slot %d, tried again in a moment: %s", child.place, exc)
            self._close_channel(child)
            child.start_at = time.monotonic() + _SHORTAGE_PAUSE

    def _clear(self, child: C) -> None:
        """Forget what the last process of `child` has started, before a slot gets a new one."""
        for slot in self._slots_of(child):
            if not slot.holding:
                self._scoreboard.clear(slot.number)

    def _child_started(self, place: int, pid: int) -> None:
        self._children[place].pid = pid

    def _start_failed(self, traceback: str) -> None:
        self._start_error = traceback

    def _code_renewed(self, description: Any) -> None:
        self._events.renewals.append(description)
        self.refresh()

    def _replace_unguarded(self) -> None:
        """Replace the children of a fork server that exited, as soon as they have no task."""
        for child in list(self._children.values()):
            if child.ready:
                self._drain(child)
            else:
                kill_group(child.pid)  # it has none yet

    def _tell_to_drain(self, child: C) -> None:
        child.draining = True
        self._send(child, (DRAIN, None))

    def _child_exited(self, pid: int, code: int | None) -> None:
        child = next((child for child in self._all() if child.pid == pid), None)
        if child is None or self._closed:
            return
        kill_group(pid)  # the processes that it started must not outlive it
        if child.channel is not None:
            self._receive(child, child.channel)  # what it sent before its exit counts
        self._record_deaths(child, code)
        self._close_channel(child)
        self._schedule_start(child)

    def _schedule_start(self, child: C) -> None:
        if not self._closed:
            child.start_at = time.monotonic() + child.note_exit()

    def _close_channel(self, child: C) -> None:
        if child.channel is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(child.channel.socket)
            child.channel.close()
            child.channel = None

    # streams

    def _send(self, child: C, value: Any) -> None:
        channel = child.channel
        if channel is not None and not channel.send(value):
            serve = partial(self._serve, child, channel)
            self._selector.modify(channel.socket, EVENT_READ | EVENT_WRITE, serve)

    def _serve(self, child: C, channel: Channel) -> None:
        """Send and receive what the stream has room and data for."""
        if channel.flush() and channel.socket.fileno() >= 0:
            key = self._selector.get_key(channel.socket)
            if key.events != EVENT_READ:
                self._selector.modify(channel.socket, EVENT_READ, key.data)
        self._receive(child, channel)
        if channel.eof and child.channel is channel:
            self._selector.unregister(channel.socket)
            child.channel = None
            channel.close()
            if child.pid is not None and self._launcher is not None:
                self._launcher.stream_closed(child.pid)
            else:  # the fork server exited before it could fork
                self._schedule_start(child)

    def _receive(self, child: C, channel: Channel) -> None:
        for frame in channel.receive():
            try:
                self._take(child, *frame)
            except UNREADABLE as exc:
                channel.fail()
                logger.debug("malformed frame of process %s: %r", child.pid, exc)
                break
        if channel.broken:
            logger.error(
                "process %s has sent what cannot be read, so it is replaced: a task, or a process "
                "that it forked, has written to its stream",
                child.pid,
            )
            kill_group(child.pid)

    def _take(self, child: C, kind: int, value: Any) -> None:
        """Take in one frame of a child. Raises one of UNREADABLE."""
        if kind == OUTCOMES:
            child.finished_any = True
            self._end(child, value)
        elif kind == RETURNED:
            self._return(child, value)
        elif kind == STATE:
            self._events.updates.append(state_of(value))
        elif kind == STEP:
            self._ask_for(child, *value)
        elif kind == RECORD:
            handle_record(*value)
        elif kind == READY:
            child.ready = True
            child.pid = child.pid or int(value)  # before the fork server has reported it
            self._enter(child)
        elif kind == START_FAILED and isinstance(value, str):
            self._start_error = value
        else:
            self._take_other(child, kind, value)

    def _take_other(self, child: C, kind: int, value: Any) -> None:
        """Take in a frame that only the children of this pool send. Raises one of UNREADABLE."""
        raise InvalidTaskError(f"a frame of the kind {shown(kind)}")

    def _ask_for(self, child: C, number: Any, key: Any, token: Any, step: Any) -> None:
        """Have a step stored that a child asks for. Raises one of UNREADABLE."""
        if type(number) is not int:
            raise InvalidTaskError(f"a step with the number {shown(number)}")
        step, receipt = step_of(step), (key, token)
        for slot in self._slots_of(child):
            for delivery in slot.holding.values():
                if delivery.receipt == receipt:
                    request = StepRequest(delivery, step, slot.number, number, child.pid)
                    self._events.steps.append(request)
                    return
        self._send(child, (ANSWER, (number, CLAIM_LOST)))  # it was taken from this worker


def exit_reason(code: int | None) -> str:
    """Return how a process has exited, in words. `code`: negative for a signal."""
    if code is None:
        return "its process exited; how is not known, because its fork server had exited before"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"its process was killed by signal {-code} ({name})"
    return f"its process exited with code {code}"


def kill_group(pid: int | None) -> None:
    """Kill the process `pid` and all that it has started."""
    signal_group(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def signal_group(pid: int | None, number: int) -> None:
    """Send a signal to the process `pid` and to all that it has started."""
    if pid is None:
        return
    with suppress(OSError):  # it has exited already
        if sys.platform == "win32":
            os.kill(pid, number)  # TerminateProcess, for any number
        else:
            os.killpg(pid, number)
