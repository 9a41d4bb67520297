"""The process pool: every slot is a child process with a private stream to it.

One stream for each child and no shared lock, so a child that is killed at any instant can leave
nothing locked and nothing half-read.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from .base import Death, Kill, Pool, PoolBroken, PoolEvents, RunnerSpec, Running, Slot, StateUpdate
from .child import DRAIN, OUTCOMES, READY, RECALL, RETURNED, RUN, START_FAILED, STATE, to_item
from .frames import Channel
from .launchers import Callbacks, Launcher, make_launcher
from .scoreboard import Scoreboard

_FIRST_PAUSE, _SHORT_PAUSE, _LONGEST_PAUSE = 0.1, 0.2, 5.0  # seconds before a child is replaced
_MAX_FAILED_STARTS = 5  # children of one slot in a row that never came up, before the pool gives up
_LEFT = "its worker was stopped while it ran"
new = tuple.__new__
_KINDS = {kind.value: kind for kind in Kind}


class _ChildState:
    """What the pool knows of the child in a slot, and of those before it."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.channel: Channel | None = None
        self.pid: int | None = None
        self.launch_at: float | None = None  # `time.monotonic`
        self.failed_starts = 0  # children in a row that never came up
        self.crashes = 0  # children in a row that died of themselves and had finished nothing
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the next child."""
        self.launch_at = None
        self.kill: Kill | None = None  # why we killed it
        self.ready = self.finished_any = self.draining = False

    def note_exit(self) -> float:
        """Note its death; answer the seconds to wait before the next one.

        A task that kills its process, or a machine without memory, must not make us fork as fast
        as we can. A child that we killed, or sent away, is replaced at once.
        """
        self.pid = None
        self.slot.up = self.slot.recalled = False
        self.failed_starts = 0 if self.ready else self.failed_starts + 1
        ours = self.draining or self.kill is not None
        self.crashes = 0 if self.finished_any or ours else self.crashes + 1
        if not self.crashes:
            return 0.0
        # One that came up died in a task. Others wait behind that, so the pause is short.
        longest = _SHORT_PAUSE if self.ready else _LONGEST_PAUSE
        return float(min(_FIRST_PAUSE * 2 ** min(self.crashes - 1, 10), longest))


class ProcessPool(Pool):
    """Runs deliveries in child processes."""

    kills = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self._scoreboard = Scoreboard.create(size)
        self.scoreboard = self._scoreboard.path
        self._children = [_ChildState(slot) for slot in self.slots]
        self._events = PoolEvents()
        self._tickets = 0
        self._start_error = ""  # the last child that never came up told
        self._terminating = False  # deaths are on our account from now on
        self._closed = False
        self._launcher: Launcher | None = None

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        spec = self.spec
        setup = {
            "preload": spec.preload,
            "make": spec.make,
            "spec": spec.arguments,
            "limits": spec.limits,
            "scoreboard": self._scoreboard.path,
        }
        callbacks = Callbacks(
            self._child_started, self._child_exited, self._start_failed, self._code_renewed
        )
        self._launcher = make_launcher(setup, callbacks)
        self._launcher.start(selector)
        for child in self._children:
            self._launch(child)

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        items = []
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            items.append(to_item(self._tickets, delivery))
        self._send(self._children[slot.number], (RUN, items))

    def recall(self, slot: Slot) -> None:
        slot.recalled = True
        self._send(self._children[slot.number], (RECALL, None))

    def running(self, slot: Slot) -> Running | None:
        started = self._scoreboard.read(slot.number)
        delivery = slot.holding.get(started.ticket)
        return delivery and Running(delivery, time.monotonic() - started.since)

    def kill(self, slot: Slot, verdict: Kill) -> None:
        child = self._children[slot.number]
        child.kill = verdict
        _kill_group(child.pid)

    def terminate(self) -> None:
        self._terminating = True
        for child in self._children:
            _signal_group(child.pid, signal.SIGTERM)

    def renew(self) -> bool:
        assert self._launcher is not None
        self._launcher.renew()
        return True

    def collect(self) -> PoolEvents:
        if not (self._closed or any(slot.up for slot in self.slots)) and any(
            child.failed_starts >= _MAX_FAILED_STARTS for child in self._children
        ):
            raise PoolBroken(self._start_error)
        events, self._events = self._events, PoolEvents()
        return events

    def tend(self) -> float | None:
        now = time.monotonic()
        for child in self._children:
            if child.launch_at is not None and child.launch_at <= now:
                self._launch(child)
        pending = [child.launch_at for child in self._children if child.launch_at is not None]
        return max(min(pending) - now, 0.0) if pending else None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = self._terminating = True
        for child in self._children:
            _kill_group(child.pid)
        if self._launcher is not None:
            self._launcher.close()
        for child in self._children:
            if child.channel is not None:
                self._receive(child, child.channel)
            self._record_death(child, None)
            self._close_channel(child)
        self._scoreboard.remove()

    def pids(self) -> list[int]:
        return [child.pid for child in self._children if child.pid is not None]

    # births and deaths

    def _launch(self, child: _ChildState) -> None:
        assert self._launcher is not None
        child.reset()
        self._scoreboard.clear(child.slot.number)
        ours, theirs = socket.socketpair()
        channel = child.channel = Channel(ours)
        self._selector.register(ours, EVENT_READ, lambda: self._serve(child, channel))
        self._launcher.launch(child.slot.number, theirs)

    def _child_started(self, slot: int, pid: int) -> None:
        self._children[slot].pid = pid

    def _start_failed(self, why: str) -> None:
        self._start_error = why

    def _code_renewed(self) -> None:
        for child in self._children:
            child.draining, child.slot.up = True, False
            self._send(child, (DRAIN, None))

    def _child_exited(self, pid: int, code: int | None) -> None:
        child = next((child for child in self._children if child.pid == pid), None)
        if child is None or self._closed:
            return
        _kill_group(pid)  # what it started does not outlive it
        if child.channel is not None:
            self._receive(child, child.channel)  # what it said before it died counts
        self._record_death(child, code)
        self._close_channel(child)
        self._schedule_start(child)

    def _schedule_start(self, child: _ChildState) -> None:
        if not self._closed:
            child.launch_at = time.monotonic() + child.note_exit()

    def _record_death(self, child: _ChildState, code: int | None) -> None:
        holding = child.slot.holding
        if not holding:
            return
        delivery, ran = self.running(child.slot) or (None, 0.0)
        kind, reason = Kind.LOST, _exit_reason(code)
        if self._terminating:
            kind, reason = Kind.REQUEUED, _LEFT
        elif child.kill is not None:
            kind, reason = child.kill.kind, child.kill.reason
            if delivery is not child.kill.delivery:
                delivery = None  # it had gone on to the next one, which is not to blame
        waiting = [each for each in holding.values() if each is not delivery]
        self._events.deaths.append(Death(delivery, waiting, kind, reason, ran))
        holding.clear()

    def _close_channel(self, child: _ChildState) -> None:
        if child.channel is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(child.channel.socket)
            child.channel.close()
            child.channel = None

    # the streams

    def _send(self, child: _ChildState, value: Any) -> None:
        if child.channel is not None and not child.channel.send(value):
            self._selector.modify(
                child.channel.socket, EVENT_READ | EVENT_WRITE, self._listener(child, child.channel)
            )

    def _listener(self, child: _ChildState, channel: Channel) -> Callable[[], None]:
        return lambda: self._serve(child, channel)

    def _serve(self, child: _ChildState, channel: Channel) -> None:
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
            else:  # the fork server died before it could fork
                self._schedule_start(child)

    def _receive(self, child: _ChildState, channel: Channel) -> None:
        slot = child.slot
        for kind, value in channel.receive():
            if kind == OUTCOMES:
                child.finished_any = True
                pop, add = slot.holding.pop, self._events.finished.append
                for ticket, name, *rest in value:
                    # As `delivery_of` does: half the time of the named constructor.
                    add((pop(ticket), new(Outcome, (_KINDS[name], *rest))))
            elif kind == RETURNED:
                slot.recalled = False
                self._events.returned += [slot.holding.pop(ticket) for ticket in value]
            elif kind == STATE:
                self._events.updates.append(StateUpdate(*value))
            elif kind == READY:
                child.ready, slot.up, child.pid = True, not child.draining, value
            elif kind == START_FAILED:
                self._start_error = value


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "its process died with the process it was forked from"
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
    with suppress(OSError):  # it is gone already
        if sys.platform == "win32":
            os.kill(pid, number)  # ends it, whatever the number
        else:
            os.killpg(pid, number)
