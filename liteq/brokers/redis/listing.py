"""Tasks by phase, oldest first, for tools. Reads the indexes page by page, so that nobody waits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.message import Record
from ...model.options import options_of
from ...states import Phase
from .server import Server

_PAGE = 5000
_SEQ = 14  # digits before the id in the members of the indexes


class Listing:
    """The tasks in `phases`; `wants` says which of them were asked for."""

    def __init__(
        self,
        server: Server,
        phases: Sequence[Phase],
        queues: Sequence[str],
        task: str | None,
        headers: Mapping[str, Any] | None,
    ) -> None:
        self._server = server
        self._phases = phases
        self._queues = dict.fromkeys(queues)
        self._task = task
        self._headers = headers

    def pages(self, size: int) -> Iterator[list[str]]:
        """Their ids, oldest first."""
        members = sorted(set(self._members()))
        for start in range(0, len(members), size):
            yield [member[_SEQ:].decode() for member in members[start : start + size]]

    def wants(self, record: Record) -> bool:
        """Whether it is still in one of the phases, and what else was asked for holds."""
        if record.phase not in self._phases:
            return False
        if self._task is not None and record.message.task != self._task:
            return False
        return self._headers is None or _has_one(record, self._headers)

    def _members(self) -> Iterator[bytes]:
        for key in self._indexes():
            start = 0
            while page := self._server.ask("ZRANGE", key, start, start + _PAGE - 1):
                yield from page
                start += _PAGE

    def _indexes(self) -> Iterator[str]:
        prefix = self._server.location.prefix
        for phase in self._phases:
            match phase:
                case Phase.WAITING:
                    yield f"{prefix}:waiting"
                case Phase.SCHEDULED:
                    yield f"{prefix}:scheduled"
                case Phase.READY:
                    yield from (f"{prefix}:ready:{queue}" for queue in self._queues)
                case Phase.RUNNING:
                    workers = self._server.ask("ZRANGE", f"{prefix}:workers", 0, -1)
                    yield from (f"{prefix}:running:{worker.decode()}" for worker in workers)
                case _:
                    yield f"{prefix}:ended:{int(phase)}"


def _has_one(record: Record, wanted: Mapping[str, Any]) -> bool:
    headers = options_of(record.message).get("headers") or {}
    return any(pair in headers.items() for pair in wanted.items())
