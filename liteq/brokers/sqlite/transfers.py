"""The verbs that move tasks to another store, and from it.

What they need is imported when they are called: workers and senders never do it.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from ...model.step import Event
from ..stored import StoredSchedules
from ..transfer import Arrival, Movable, TransferBatch
from .schedules import entries_of
from .session import WriteOptions
from .statements import SQL
from .steps import EVENTS
from .store import DURABLE, SqliteStore

_SNAPSHOT = WriteOptions("normal")  # reads several tables as of one moment


class SqliteTransfers(SqliteStore):
    """The verbs of moving."""

    def is_same_store(self, other: Movable) -> bool:
        return isinstance(other, SqliteStore) and other.location.path == self.location.path

    def pack(self, size: int) -> Iterator[TransferBatch]:
        from . import moving

        return moving.pack(partial(self._existing().write, _SNAPSHOT), size)

    def pack_schedules(self) -> StoredSchedules:
        return entries_of(self._existing().read(SQL["schedules"]))

    def pack_events(self) -> list[Event]:
        from . import moving

        return moving.pack_events(self._session().read(EVENTS, (self.clock(),)))

    def unpack(self, batch: TransferBatch) -> None:
        from . import moving

        now = self.clock()
        asked = batch.with_keys_asked(now)
        self._write_and_notify_all(DURABLE, lambda db: moving.store_transfers(db, asked, now))

    def arrived(self) -> list[Arrival]:
        from . import moving

        return self._write(_SNAPSHOT, moving.arrived)

    def confirm(self, arrivals: Sequence[Arrival]) -> None:
        from . import moving

        self._write(DURABLE, lambda db: moving.confirm(db, arrivals))

    def discard(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        from . import moving

        return self._write(DURABLE, lambda db: moving.discard(db, arrivals))
