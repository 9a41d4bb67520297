"""Reads what is to be moved to another store, in steps that never keep the server busy for long."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ...model.graph import ALONE
from ...states import Phase
from ...support.clock import Clock
from ..transfer import Left, MovedGroup, Transfer, TransferBatch, batch_of
from .bulks import finish_bulks
from .indexes import id_pages
from .moving import moved_group_of, transfer_of
from .output import read_bodies
from .replies import fields_of
from .server import Server
from .signing import Signing

_PAGE = 500  # tasks or groups in one reply
_NOT_RUNNING = [phase for phase in Phase if phase is not Phase.RUNNING]


class Packer:
    """A reader of all tasks that do not run."""

    def __init__(
        self, server: Server, clock: Clock, signing: Signing, queues: Sequence[str]
    ) -> None:
        self._server = server
        self._clock = clock
        self._signing = signing
        self._queues = queues

    def batches(self, size: int) -> Iterator[TransferBatch]:
        """Yield all that can be moved: single tasks, `size` at a time, and then all workflows."""
        yield from self.single_tasks(size)
        yield from self.workflows()

    def single_tasks(self, size: int) -> Iterator[TransferBatch]:
        """Yield the tasks that are in no workflow, `size` at a time, oldest first."""
        for ids in id_pages(self._server, _NOT_RUNNING, self._queues, size):
            batch = batch_of((each for each in self._transfers(ids) if each.place == ALONE), {})
            # A task may have been claimed since its index was read.
            resting = [each for each in batch.transfers if each.record.phase is not Phase.RUNNING]
            if resting or batch.left:
                yield batch._replace(transfers=resting)

    def workflows(self) -> Iterator[TransferBatch]:
        """Yield all workflows that are stored by now, unless a task of one runs."""
        finish_bulks(self._server, self._clock)
        last = self._run("resting")
        if last is None:
            return
        # A workflow is sent in one transaction, so those up to a place in the order of sending
        # are complete, although they are read one page after the other.
        pages = id_pages(self._server, _NOT_RUNNING, self._queues, _PAGE, up_to=int(last))
        found = [each for ids in pages for each in self._transfers(ids) if each.place != ALONE]
        groups = self._groups({each.place.group for each in found if each.place.group})
        if found and self._run("resting") is not None:
            yield batch_of(found, groups)

    def _transfers(self, ids: Sequence[str]) -> Iterator[Transfer | Left]:
        replies = zip(ids, self._run("fetch", *ids), self._run("steps", *ids), strict=True)
        for id, reply, steps in replies:
            if reply is not None:
                fields = fields_of(reply)
                tried = b"attempts" in fields
                attempts = self._run("attempts", id) if tried else []
                prefix = self._server.location.prefix
                begun = tried or b"started" in fields
                outputs = read_bodies(self._server, prefix, id) if begun else []
                yield transfer_of(id, reply, attempts, steps, outputs, self._signing)

    def _groups(self, ids: Collection[str]) -> dict[str, MovedGroup | None]:
        """Return these groups and those that they are in; None for one that cannot be read."""
        found: dict[str, MovedGroup | None] = {}
        while ids:
            wanted = sorted(ids)
            for start in range(0, len(wanted), _PAGE):
                page = wanted[start : start + _PAGE]
                for id, reply in zip(page, self._run("groups", *page), strict=True):
                    if reply != []:
                        found[id] = moved_group_of(id, reply)
            outer = {moved.group.outer for id in wanted if (moved := found.get(id)) is not None}
            ids = {id for id in outer if id is not None and id not in found}
        return found

    def _run(self, verb: str, *args: Any) -> Any:
        return self._server.run(verb, self._clock(), *args)
