"""The process pool: each slot is a child process with a stream of its own.

There is one stream per child and no shared lock, so a child that is killed at any instant leaves
nothing locked, and no partial message on a stream of others.
"""

import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from logging import Logger, getLogger
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any

from ..exceptions import InvalidTaskError
from ..model.checks import UNREADABLE, shown
from ..model.message import Delivery
from ..model.outcome import Kind
from ..support.portable import forks
from ..support.standardstreams import fill_standard_streams
from .base import (
    CLAIM_LOST,
    STOPPED,
    Death,
    Kill,
    PoolBroken,
    PoolEvents,
    RunnerSpec,
    Running,
    Slot,
    StepRequest,
    Success,
)
from .child import (
    ANSWER,
    DRAIN,
    OUTCOMES,
    OUTPUT,
    READY,
    RECORD,
    RETURNED,
    RUN,
    START_FAILED,
    STATE,
    STEP,
    Setup,
    to_item,
)
from .childstate import ChildState
from .frames import Channel
from .launchers import Callbacks, Launcher
from .outcomes import state_of, step_of
from .outcomes import unpack as unpack_outcomes
from .output import unpack as unpack_outputs
from .records import handle_record
from .resizing import Resizable
from .scoreboard import OwnScoreboard

logger: Logger = getLogger("liteq.worker")

_SHORTAGE_PAUSE = 1.0  # seconds until a start is tried again for which the machine had no room
_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}
_new = tuple.__new__  # as in rows.py: half the time
_MAX_FAILED_STARTS = 5  # of one slot in a row, before the pool is broken


class ProcessPool(Resizable):
    """A pool that runs deliveries in child processes."""

    kills = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        if sys.platform != "win32":  # there children do not inherit descriptors
            fill_standard_streams()
        self._scoreboard = OwnScoreboard(self.room)
        self.scoreboard: str | None = self._scoreboard.name
        self._children = {slot.number: ChildState(slot) for slot in self.slots}
        self._events = PoolEvents()
        self._tickets = 0
        self._start_error = ""  # the traceback of the last child that could not start
        self._terminating = False  # children that exit from now on do so because of us
        self._closed = False
        self._launcher: Launcher | None = None

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        setup: Setup = {
            "preload": self.spec.preload,
            "make": self.spec.make,
            "spec": self.spec.arguments,
            "limits": self.spec.limits,
            "log_levels": self.spec.log_levels,
            "scoreboard": self._scoreboard.handle,
        }
        callbacks = Callbacks(
            self._child_started,
            self._child_exited,
            self._start_failed,
            self._code_renewed,
            self._replace_unguarded,
        )
        self._launcher = self._make_launcher(setup, callbacks)
        self._launcher.start(selector)
        for child in self._children.values():
            self._start_child(child)

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        items, outgoing = [], self.outgoing
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            sent = delivery if outgoing is None else outgoing(delivery)
            items.append(to_item(self._tickets, sent))
        self._send(self._children[slot.number], (RUN, items))

    def recall(self, slot: Slot) -> None:
        started = self._scoreboard.recall(slot.number, self._tickets)
        waiting = [ticket for ticket in slot.holding if ticket > started]
        self._events.returned += map(slot.holding.pop, waiting)
        slot.recalled = bool(waiting)

    def running(self, slot: Slot) -> Running | None:
        started = self._scoreboard.read(slot.number)
        delivery = slot.holding.get(started.ticket)
        return delivery and Running(delivery, time.monotonic() - started.since)

    def kill(self, slot: Slot, kill: Kill) -> None:
        child = self._children[slot.number]
        child.kill = kill
        _kill_group(child.pid)

    def answer(self, request: StepRequest, answer: str) -> None:
        child = self._children.get(request.slot)
        if (
            child is not None and child.pid == request.process
        ):  # and not another one, which has replaced it
            self._send(child, (ANSWER, (request.number, answer)))

    def terminate(self) -> None:
        self._terminating = True
        for child in self._children.values():
            _signal_group(child.pid, signal.SIGTERM)

    def refresh(self) -> None:
        for child in self._children.values():
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
        for child in self._children.values():
            _kill_group(child.pid)
        if self._launcher is not None:
            self._launcher.close()
        for child in self._children.values():
            if child.channel is not None:
                self._receive(child, child.channel)
            self._record_death(child, None)
            self._close_channel(child)
        self._scoreboard.remove()

    def pids(self) -> list[int]:
        children = list(self._children.values())  # at once: another thread may ask
        return [child.pid for child in children if child.pid is not None]

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

    def _start_child(self, child: ChildState) -> None:
        assert self._launcher is not None
        child.reset()
        self._scoreboard.clear(child.slot.number)
        try:
            ours, theirs = socket.socketpair()
            child.channel = Channel(ours)
            self._selector.register(ours, EVENT_READ, partial(self._serve, child, child.channel))
            self._launcher.launch(child.slot.number, theirs)
        except OSError as exc:
            if exc.errno not in _SHORTAGES:
                raise
            logger.warning(
                "no process for slot %d, tried again in a moment: %s", child.slot.number, exc
            )
            self._close_channel(child)
            child.start_at = time.monotonic() + _SHORTAGE_PAUSE

    def _child_started(self, slot: int, pid: int) -> None:
        self._children[slot].pid = pid

    def _start_failed(self, traceback: str) -> None:
        self._start_error = traceback

    def _code_renewed(self, description: Any) -> None:
        self._events.renewals.append(description)
        self.refresh()

    def _replace_unguarded(self) -> None:
        """Replace the children of a fork server that exited, as soon as they have no task."""
        for child in self._children.values():
            if child.ready:
                self._drain(child)
            else:
                _kill_group(child.pid)  # it has none yet

    def _drain(self, child: ChildState) -> None:
        child.draining, child.slot.up = True, False
        self._send(child, (DRAIN, None))

    def _child_exited(self, pid: int, code: int | None) -> None:
        child = next((child for child in self._children.values() if child.pid == pid), None)
        if child is None or self._closed:
            return
        _kill_group(pid)  # the processes that it started must not outlive it
        if child.channel is not None:
            self._receive(child, child.channel)  # what it sent before its exit counts
        self._record_death(child, code)
        self._close_channel(child)
        self._schedule_start(child)

    def _schedule_start(self, child: ChildState) -> None:
        if child.slot.leaving:
            self._forget(child)
        elif not self._closed:
            child.start_at = time.monotonic() + child.note_exit()

    def _open(self, slot: Slot) -> None:
        child = self._children[slot.number] = ChildState(slot)
        child.start_at = 0.0  # `tend` starts it

    def _retire(self, slot: Slot) -> None:
        child = self._children[slot.number]
        if child.start_at is None:
            self._drain(child)
        else:
            self._forget(child)  # it has no process

    def _forget(self, child: ChildState) -> None:
        if self._children.pop(child.slot.number, None) is not None:
            self._drop(child.slot)

    def _record_death(self, child: ChildState, code: int | None) -> None:
        holding = child.slot.holding
        if not holding:
            return
        delivery, ran = self.running(child.slot) or (None, 0.0)
        kind, reason = Kind.LOST, _exit_reason(code)
        if self._terminating:
            kind, reason = Kind.REQUEUED, STOPPED
        elif child.kill is not None:
            kind, reason = child.kill.kind, child.kill.reason
            if delivery is not child.kill.delivery:
                delivery = None  # it had started the next one, which must not be charged
        waiting = [each for each in holding.values() if each is not delivery]
        death = Death(delivery, waiting, kind, reason, ran, child.slot.number)
        self._events.deaths.append(death)
        holding.clear()

    def _close_channel(self, child: ChildState) -> None:
        if child.channel is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(child.channel.socket)
            child.channel.close()
            child.channel = None

    # streams

    def _send(self, child: ChildState, value: Any) -> None:
        channel = child.channel
        if channel is not None and not channel.send(value):
            serve = partial(self._serve, child, channel)
            self._selector.modify(channel.socket, EVENT_READ | EVENT_WRITE, serve)

    def _serve(self, child: ChildState, channel: Channel) -> None:
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

    def _receive(self, child: ChildState, channel: Channel) -> None:
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
            _kill_group(child.pid)

    def _take(self, child: ChildState, kind: int, value: Any) -> None:
        """Take in one frame of a child. Raises one of UNREADABLE."""
        slot = child.slot
        if kind == OUTCOMES:
            child.finished_any = True
            self._take_outcomes(slot, value)
        elif kind == RETURNED:
            # The child runs, and has seen the recall; most of it was taken back already.
            slot.recalled = False
            still = [ticket for ticket in value if ticket in slot.holding]
            self._events.returned += map(slot.holding.pop, still)
        elif kind == STATE:
            self._events.updates.append(state_of(value))
        elif kind == OUTPUT:
            self._events.outputs += unpack_outputs(slot.holding.values(), value)
        elif kind == STEP:
            self._ask_for(child, *value)
        elif kind == RECORD:
            handle_record(value, slot.number)
        elif kind == READY:
            child.ready, slot.up = True, not child.draining
            child.pid = child.pid or int(value)  # before the fork server has reported it
        elif kind == START_FAILED and isinstance(value, str):
            self._start_error = value
        else:
            raise InvalidTaskError(f"a frame of the kind {shown(kind)}")

    def _take_outcomes(self, slot: Slot, value: Any) -> None:
        """Take in outcomes, with their tickets. Raises one of UNREADABLE."""
        pop, number = slot.holding.pop, slot.number
        successes, others = unpack_outcomes(value)
        # One by one: what stands before a ticket that is unknown has ended all the same.
        add = self._events.succeeded.append
        for ticket, result, serializer, runtime in successes:
            add(_new(Success, (pop(ticket), result, serializer, runtime, number)))
        for ticket, outcome in others:
            self._events.finished.append((pop(ticket), outcome, number))

    def _ask_for(self, child: ChildState, number: Any, key: Any, token: Any, step: Any) -> None:
        """Have a step stored that a child asks for. Raises one of UNREADABLE."""
        if type(number) is not int:
            raise InvalidTaskError(f"a step with the number {shown(number)}")
        step, receipt, slot = step_of(step), (key, token), child.slot
        delivery = next((each for each in slot.holding.values() if each.receipt == receipt), None)
        if delivery is None:
            self._send(child, (ANSWER, (number, CLAIM_LOST)))  # it was taken from this worker
        else:
            request = StepRequest(delivery, step, slot.number, number, child.pid)
            self._events.steps.append(request)


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "its process exited; how is not known, because its fork server had exited before"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"its process was killed by signal {-code} ({name})"
    return f"its process exited with code {code}"


def _kill_group(pid: int | None) -> None:
    _signal_group(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _signal_group(pid: int | None, number: int) -> None:
    if pid is None:
        return
    with suppress(OSError):  # it has exited already
        if sys.platform == "win32":
            os.kill(pid, number)  # TerminateProcess, for any number
        else:
            os.killpg(pid, number)
