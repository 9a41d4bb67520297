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
from .child import BROKEN, LEAVE, OUTCOMES, RECALL, RETURNED, RUN, STATE, UP, wire
from .frames import Channel
from .launchers import Callbacks, Launcher, make_launcher
from .scoreboard import Scoreboard

_FIRST_PAUSE, _SHORT_PAUSE, _LONGEST_PAUSE = 0.1, 0.2, 5.0  # seconds before a child is replaced
_FEW = 5  # children of one slot in a row that never came up, before the pool gives up
_LEFT = "its worker was stopped while it ran"
new = tuple.__new__
_KINDS = {kind.value: kind for kind in Kind}


class _Room:
    """What the pool knows of the child in a slot, and of those before it."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.channel: Channel | None = None
        self.pid: int | None = None
        self.launch_at: float | None = None  # `time.monotonic`
        self.stillborn = 0  # children in a row that never came up
        self.useless = 0  # children in a row that died of themselves and had finished nothing
        self.expect_child()

    def expect_child(self) -> None:
        """Nothing is known of the next child."""
        self.launch_at = None
        self.verdict: Kill | None = None  # why we killed it
        self.came_up = self.finished_some = self.leaving = False

    def lose_child(self) -> float:
        """Note its death; answer the seconds to wait before the next one.

        A task that kills its process, or a machine without memory, must not make us fork as fast
        as we can. A child that we killed, or sent away, is replaced at once.
        """
        self.pid = None
        self.slot.up = self.slot.recalled = False
        self.stillborn = 0 if self.came_up else self.stillborn + 1
        ours = self.leaving or self.verdict is not None
        self.useless = 0 if self.finished_some or ours else self.useless + 1
        if not self.useless:
            return 0.0
        # One that came up died in a task. Others wait behind that, so the pause is short.
        longest = _SHORT_PAUSE if self.came_up else _LONGEST_PAUSE
        return float(min(_FIRST_PAUSE * 2 ** min(self.useless - 1, 10), longest))


class ProcessPool(Pool):
    """Runs deliveries in child processes."""

    kills = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self._scoreboard = Scoreboard.create(size)
        self.scoreboard = self._scoreboard.path
        self._rooms = [_Room(slot) for slot in self.slots]
        self._news = PoolEvents()
        self._tickets = 0
        self._why = ""  # the last child that never came up told
        self._ending = False  # deaths are on our account from now on
        self._closed = False
        self._launcher: Launcher | None = None

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        spec = self.spec
        order = {
            "preload": spec.preload,
            "make": spec.make,
            "spec": spec.arguments,
            "limits": spec.limits,
            "scoreboard": self._scoreboard.path,
        }
        tell = Callbacks(self._born, self._died, self._broken, self._renewed)
        self._launcher = make_launcher(order, tell)
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
        entry = self._scoreboard.read(slot.number)
        delivery = slot.holding.get(entry.ticket)
        return delivery and Running(delivery, time.monotonic() - entry.since)

    def kill(self, slot: Slot, verdict: Kill) -> None:
        room = self._rooms[slot.number]
        room.verdict = verdict
        _kill_group(room.pid)

    def terminate(self) -> None:
        self._ending = True
        for room in self._rooms:
            _signal_group(room.pid, signal.SIGTERM)

    def renew(self) -> bool:
        assert self._launcher is not None
        self._launcher.renew()
        return True

    def collect(self) -> PoolEvents:
        if not (self._closed or any(slot.up for slot in self.slots)) and any(
            room.stillborn >= _FEW for room in self._rooms
        ):
            raise PoolBroken(self._why)
        news, self._news = self._news, PoolEvents()
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
        self._closed = self._ending = True
        for room in self._rooms:
            _kill_group(room.pid)
        if self._launcher is not None:
            self._launcher.close()
        for room in self._rooms:
            if room.channel is not None:
                self._take_in(room, room.channel)
            self._tell_death(room, None)
            self._hang_up(room)
        self._scoreboard.remove()

    def pids(self) -> list[int]:
        return [room.pid for room in self._rooms if room.pid is not None]

    # births and deaths

    def _launch(self, room: _Room) -> None:
        assert self._launcher is not None
        room.expect_child()
        self._scoreboard.wipe(room.slot.number)
        ours, theirs = socket.socketpair()
        channel = room.channel = Channel(ours)
        self._selector.register(ours, EVENT_READ, lambda: self._listen(room, channel))
        self._launcher.launch(room.slot.number, theirs)

    def _born(self, line: int, pid: int) -> None:
        self._rooms[line].pid = pid

    def _broken(self, why: str) -> None:
        self._why = why

    def _renewed(self) -> None:
        for room in self._rooms:
            room.leaving, room.slot.up = True, False
            self._send(room, (LEAVE, None))

    def _died(self, pid: int, code: int | None) -> None:
        room = next((room for room in self._rooms if room.pid == pid), None)
        if room is None or self._closed:
            return
        _kill_group(pid)  # what it started does not outlive it
        if room.channel is not None:
            self._take_in(room, room.channel)  # what it said before it died counts
        self._tell_death(room, code)
        self._hang_up(room)
        self._replace(room)

    def _replace(self, room: _Room) -> None:
        if not self._closed:
            room.launch_at = time.monotonic() + room.lose_child()

    def _tell_death(self, room: _Room, code: int | None) -> None:
        holding = room.slot.holding
        if not holding:
            return
        delivery, ran = self.running(room.slot) or (None, 0.0)
        kind, reason = Kind.LOST, _how(code)
        if self._ending:
            kind, reason = Kind.REQUEUED, _LEFT
        elif room.verdict is not None:
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
            if room.pid is not None and self._launcher is not None:
                self._launcher.ended(room.pid)
            else:  # the fork server died before it could fork
                self._replace(room)

    def _take_in(self, room: _Room, channel: Channel) -> None:
        slot = room.slot
        for kind, value in channel.receive():
            if kind == OUTCOMES:
                room.finished_some = True
                pop, add = slot.holding.pop, self._news.finished.append
                for ticket, name, *rest in value:
                    # As `delivery_of` does: half the time of the named constructor.
                    add((pop(ticket), new(Outcome, (_KINDS[name], *rest))))
            elif kind == RETURNED:
                slot.recalled = False
                self._news.returned += [slot.holding.pop(ticket) for ticket in value]
            elif kind == STATE:
                self._news.told.append(StateUpdate(*value))
            elif kind == UP:
                room.came_up, slot.up, room.pid = True, not room.leaving, value
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
    _signal_group(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _signal_group(pid: int | None, number: int) -> None:
    if pid is None:
        return
    with suppress(OSError):  # it is gone already
        if sys.platform == "win32":
            os.kill(pid, number)  # ends it, whatever the number
        else:
            os.killpg(pid, number)
