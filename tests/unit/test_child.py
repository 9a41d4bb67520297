"""Frames that a child process sends on its stream."""

import socket
import threading
import time
from collections import deque
from typing import Any

from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Kind, Outcome
from liteq.pools.base import Limits
from liteq.pools.child import Child
from liteq.pools.frames import FrameReader, pack
from liteq.pools.protocol import DRAIN, OUTCOMES, RETURNED, RUN, STATE, to_item
from liteq.pools.scoreboard import OwnScoreboard


class Reports:
    """An object that reports something when it is finalized, as those do that log a warning."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def __del__(self) -> None:
        self.child.send_state("id", "state", b"", "json")


class Stream(socket.socket):
    """A stream that finalizes objects while it sends, as a garbage collection may."""

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.objects: list[Reports] = []

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.objects.clear()
        super().sendall(data, flags)


def test_an_object_that_is_finalized_while_outcomes_are_sent_may_send_something_itself() -> None:
    ours, theirs = socket.socketpair()
    stream, scoreboard = Stream(theirs.detach()), OwnScoreboard(1)
    child = Child(stream, scoreboard, 0, Limits())
    stream.objects.append(Reports(child))
    child._outcomes.append((1, "succeeded", b"1", "json", 0.1, "1"))

    thread = threading.Thread(target=child._flush, daemon=True)
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive(), "it waits for itself"
    kinds: list[int] = []
    reader = FrameReader()
    while len(kinds) < 2:
        kinds += [kind for kind, _ in reader.feed(ours.recv(1000))]
    assert kinds == [OUTCOMES, STATE]
    scoreboard.remove()
    for each in (child._selector, ours, stream):
        each.close()


class Parent:
    """The supervisor's end of the stream of a child that is served by a thread here."""

    def __init__(self) -> None:
        self.stream, theirs = socket.socketpair()
        self.stream.settimeout(10.0)
        self.scoreboard = OwnScoreboard(1)
        self.child = Child(theirs, self.scoreboard, 0, Limits())
        self.end_of_long = threading.Event()
        self._open = (self.child._selector, self.stream, theirs)
        self._frames = FrameReader()
        self._received: deque[Any] = deque()
        self._thread = threading.Thread(target=self.child.serve, args=(self._run,), daemon=True)
        self._thread.start()

    def _run(self, delivery: Delivery) -> Outcome:
        if delivery.task == "long":
            assert self.end_of_long.wait(10.0)
        return Outcome(Kind.SUCCEEDED)

    def submit(self, *tasks: str) -> None:
        items = [
            to_item(n, Delivery(Message(task, task, b"", "json", "celery"), Receipt(n, 1)))
            for n, task in enumerate(tasks, 1)
        ]
        self.stream.sendall(pack((RUN, items)))

    def drain(self) -> None:
        self.stream.sendall(pack((DRAIN, None)))

    def received(self, wanted: int) -> list[Any]:
        """Return the values in the next frame of the kind `wanted`."""
        while True:
            while self._received:
                kind, value = self._received.popleft()
                if kind == wanted:
                    return list(value)
            self._received += self._frames.feed(self.stream.recv(1000))

    def wait_until_idle(self) -> None:
        deadline = time.monotonic() + 10.0
        while self.child._watched.is_set():
            assert time.monotonic() < deadline, "the second thread looks for ever"
            time.sleep(0.001)

    def close(self) -> None:
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        self.scoreboard.remove()
        for each in self._open:
            each.close()


def test_what_ended_is_sent_while_a_long_task_runs_also_after_the_child_was_idle() -> None:
    parent = Parent()
    for _ in range(3):
        parent.wait_until_idle()
        parent.submit("short", "short", "long")
        ended = 0
        while ended < 2:
            ended += len(parent.received(OUTCOMES))
        assert ended == 2
        parent.end_of_long.set()
        assert len(parent.received(OUTCOMES)) == 1
        parent.end_of_long.clear()
    parent.drain()
    parent.close()


def test_a_child_that_is_drained_in_a_long_task_returns_what_it_has_not_started() -> None:
    parent = Parent()
    parent.submit("long", "never")
    while parent.scoreboard.read(0).ticket != 1:
        time.sleep(0.001)

    parent.drain()
    assert parent.received(RETURNED) == [2]

    parent.end_of_long.set()
    assert len(parent.received(OUTCOMES)) == 1
    parent.close()
