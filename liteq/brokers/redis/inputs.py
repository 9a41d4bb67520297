"""Inputs from groups that are too large for one script."""

from typing import Any

from ...support.clock import Clock
from .replies import inputs_of
from .server import Server

_PAGE = 500  # members in one reply


def read_group(server: Server, clock: Clock, group: str) -> list[Any]:
    """Return the inputs from the members of a group, by position.

    They do not change meanwhile: their results are kept until the task that takes them has ended.
    """
    members: list[tuple[int, Any]] = []
    for index in ("members", "inner"):
        first = 0
        while page := server.run("inputs", clock(), group, index, first, first + _PAGE - 1):
            members += page
            first += len(page)
    members.sort(key=lambda member: member[0])
    return [inputs_of(each, lambda inner: read_group(server, clock, inner)) for _, each in members]
