"""The verbs that move tasks to another store, and from it."""

from collections.abc import Iterator, Sequence
from math import inf

from ...model.step import Event
from ..stored import StoredSchedules
from ..transfer import Arrival, TransferBatch
from .arguments import chunks
from .bulks import finish_bulks, is_large, send_bulk, transfer_parts
from .moving import arrivals_args, arrivals_of, batch_args
from .packer import Packer
from .schedules import entries_of
from .steps import read_events
from .store import RedisStore


class RedisTransfers(RedisStore):
    """The verbs of moving."""

    def pack(self, size: int) -> Iterator[TransferBatch]:
        return Packer(self.server, self.clock, self._signing, self._queues()).batches(size)

    def pack_schedules(self) -> StoredSchedules:
        return entries_of(self._run("schedules", inf), self._signing)

    def pack_events(self) -> list[Event]:
        return read_events(self.server, self.location.prefix, self._signing, self.clock())

    def unpack(self, batch: TransferBatch) -> None:
        printed = any(each.outputs for each in batch.transfers)  # may be very much
        if printed or is_large([each.record.message for each in batch.transfers]):
            parts = transfer_parts(batch, self._signing)
            send_bulk(self.server, self.clock, parts, len(batch.transfers))
        else:
            self._run("unpack", *batch_args(batch, self._signing))

    def arrived(self) -> list[Arrival]:
        # What was sent in parts has arrived, whether or not all of it is stored by now.
        finish_bulks(self.server, self.clock)
        return arrivals_of(self.server.execute("HKEYS", f"{self.location.prefix}:arrived"))

    def confirm(self, arrivals: Sequence[Arrival]) -> None:
        for part in chunks(arrivals):
            self._run("confirm", *arrivals_args(part))

    def discard(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        # Groups last: one is deleted once none of its members is left.
        parts = chunks(sorted(arrivals, key=lambda each: each.created is None))
        return [part[n] for part in parts for n in self._run("discard", *arrivals_args(part))]
