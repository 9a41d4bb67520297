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

from ..message import Delivery
from ..outcome import Kind, Outcome
from .base import Death, Happenings, Pool, PoolBroken, Recipe, Running, Slot, Told, Verdict
from .board import Board
from .child import BROKEN, OUTCOMES, RECALL, RETURNED, RUN, TOLD, UP, wire
from .frames import Channel
from .launchers import Launcher, make_launcher

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before a child that never came up is replaced
_FEW = 5  # children in a row that never came up, before the pool gives up
_KINDS = {kind.value: kind for kind in Kind}


class _Room:
    """What the pool knows of the child in a slot."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.channel: Channel | None = None
        self.pid: int | None = None
        self.verdict: Verdict | None = None  # why we killed it
        self.launch_at: float | None = None  # `time.monotonic`


class ProcessPool(Pool):
    """Runs deliveries in child processes."""

    kills = True

    def __init__(self, size: int, recipe: Recipe) -> None:
        super().__init__(size, recipe)
        self._board = Board.create(size)
        self.board = self._board.path
        self._rooms = [_Room(slot) for slot in self.slots]
        self._news = Happenings()
        self._tickets = 0
        self._failures = 0
        self._why = ""
        self._closed = False
        self._launcher: Launcher

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        recipe = self.recipe
        order = {
            "preload": recipe.preload,
            "make": recipe.make,
            "spec": recipe.spec,
            "limits": recipe.limits,
            "board": self._board.path,
        }
        self._launcher = make_launcher(order, self._born, self._died, self._broken)
        self._launcher.start(selector)
        for room in self._rooms:
            self._launch(room)

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        items = []
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            items.append(wire(self._tickets, delivery))
        self._send(self._rooms[slot.number], (RUN, items))

    def recall(self, slot: Slot) -> None:
        slot.recalled = True
        self._send(self._rooms[slot.number], (RECALL, None))

    def running(self, slot: Slot) -> Running | None:
        entry = self._board.read(slot.number)
        delivery = slot.holding.get(entry.ticket)
        return delivery and Running(delivery, time.monotonic() - entry.since)

    def kill(self, slot: Slot, verdict: Verdict) -> None:
        room = self._rooms[slot.number]
        room.verdict = verdict
        _kill_group(room.pid)

    def collect(self) -> Happenings:
        if self._failures >= _FEW and not self._closed:
            raise PoolBroken(self._why)
        news, self._news = self._news, Happenings()
        return news

    def tend(self) -> float | None:
        now = time.monotonic()
        for room in self._rooms:
            if room.launch_at is not None and room.launch_at <= now:
                self._launch(room)
        pending = [room.launch_at for room in self._rooms if room.launch_at is not None]
        return max(min(pending) - now, 0.0) if pending else None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for room in self._rooms:
            _kill_group(room.pid)
            self._hang_up(room)
        self._launcher.close()
        self._board.remove()

    def pids(self) -> list[int]:
        return [room.pid for room in self._rooms if room.pid is not None]

    # births and deaths

    def _launch(self, room: _Room) -> None:
        room.launch_at = None
        room.verdict = None
        self._board.wipe(room.slot.number)
        ours, theirs = socket.socketpair()
        channel = room.channel = Channel(ours)
        self._selector.register(ours, EVENT_READ, lambda: self._listen(room, channel))
        self._launcher.launch(room.slot.number, theirs)

    def _born(self, line: int, pid: int) -> None:
        self._rooms[line].pid = pid

    def _broken(self, why: str) -> None:
        self._why, self._failures = why, _FEW

    def _died(self, pid: int, code: int | None) -> None:
        room = next((room for room in self._rooms if room.pid == pid), None)
        if room is None:
            return
        _kill_group(pid)  # what it started does not outlive it
        if room.channel is not None:
            self._take_in(room, room.channel)  # what it said before it died counts
        came_up = room.slot.up
        self._tell_death(room, code)
        self._hang_up(room)
        room.pid = None
        room.slot.up = room.slot.recalled = False
        if not self._closed:
            self._failures = 0 if came_up else self._failures + 1
            pause = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE) if self._failures else 0
            room.launch_at = time.monotonic() + pause

    def _tell_death(self, room: _Room, code: int | None) -> None:
        holding = room.slot.holding
        if not holding:
            return
        delivery, ran = self.running(room.slot) or (None, 0.0)
        kind, reason = Kind.LOST, _how(code)
        if room.verdict is not None:
            kind, reason = room.verdict.kind, room.verdict.reason
            if delivery is not room.verdict.delivery:
                delivery = None  # it had gone on to the next one, which is not to blame
        waiting = [each for each in holding.values() if each is not delivery]
        self._news.deaths.append(Death(delivery, waiting, kind, reason, ran))
        holding.clear()

    def _hang_up(self, room: _Room) -> None:
        if room.channel is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(room.channel.socket)
            room.channel.close()
            room.channel = None

    # the streams

    def _send(self, room: _Room, value: Any) -> None:
        if room.channel is not None and not room.channel.send(value):
            self._selector.modify(
                room.channel.socket, EVENT_READ | EVENT_WRITE, self._listener(room, room.channel)
            )

    def _listener(self, room: _Room, channel: Channel) -> Callable[[], None]:
        return lambda: self._listen(room, channel)

    def _listen(self, room: _Room, channel: Channel) -> None:
        if channel.flush() and channel.socket.fileno() >= 0:
            key = self._selector.get_key(channel.socket)
            if key.events != EVENT_READ:
                self._selector.modify(channel.socket, EVENT_READ, key.data)
        self._take_in(room, channel)
        if channel.eof and room.channel is channel:
            self._selector.unregister(channel.socket)
            room.channel = None
            channel.close()
            if room.pid is not None:
                self._launcher.ended(room.pid)
            elif not self._closed:  # the nursery died before it could fork
                room.launch_at = time.monotonic() + _FIRST_PAUSE

    def _take_in(self, room: _Room, channel: Channel) -> None:
        slot = room.slot
        for kind, value in channel.receive():
            if kind == OUTCOMES:
                pop, add = slot.holding.pop, self._news.finished.append
                for ticket, name, *rest in value:
                    add((pop(ticket), Outcome(_KINDS[name], *rest)))
            elif kind == RETURNED:
                slot.recalled = False
                self._news.returned += [slot.holding.pop(ticket) for ticket in value]
            elif kind == TOLD:
                self._news.told.append(Told(*value))
            elif kind == UP:
                slot.up, room.pid = True, value
            elif kind == BROKEN:
                self._why = value


def _how(code: int | None) -> str:
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
    if pid is None:
        return
    with suppress(ProcessLookupError, PermissionError, OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)
