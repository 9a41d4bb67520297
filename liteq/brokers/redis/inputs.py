"""Inputs from groups that are too large for one script."""

from typing import Any

from ...exceptions import InvalidTaskError
from ...support.clock import Clock
from .server import Server

_PAGE = 500  # members in one reply


def read_group(server: Server, clock: Clock, group: str) -> list[Any]:
    """Return the inputs from the members of a group, by position, as inputs.lua has them.

    They do not change meanwhile: their results are kept until the task that takes them has ended.
    Raises InvalidTaskError when what is stored of the members cannot be read.
    """
    members: list[tuple[int, Any]] = []
    for index in ("members", "inner"):
        first = 0
        while page := server.run("inputs", clock(), group, index, first, first + _PAGE - 1):
            members += page
            first += len(page)
        if page is None:
            raise InvalidTaskError(f"the results of the group {group} cannot be read")
    members.sort(key=lambda member: member[0])
    return [input for _, input in members]
