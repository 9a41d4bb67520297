"""Frames that a child process sends on its stream."""

import socket
import threading
from typing import Any

from liteq.pools.base import Limits
from liteq.pools.child import OUTCOMES, STATE, Child
from liteq.pools.frames import FrameReader
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
