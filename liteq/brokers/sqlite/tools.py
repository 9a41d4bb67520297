"""The verbs of the port that only tools need."""

import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ...exceptions import BrokerUnavailable
from ...model.graph import Members
from ...model.message import Record
from ...states import Phase
from ..base import Broker, Examination, QueueCount, WorkerInfo
from .checkup import gather, put_right
from .copying import copy
from .findings import judge
from .location import Location
from .rows import WorkerRow, record_of
from .session import Level, Session
from .statements import SQL, listing_sql
from .workflows import drop_waiting


class Tools(Broker):
    """What tools ask of the store at `location`."""

    location: Location
    _sent: Level

    def followers(self, id: str, *, group: bool = False) -> list[str]:
        return [row[0] for row in self._session().read(SQL["followers"], (id, group))]

    def members(self, group: str) -> Members:
        read = self._session().read
        tasks = [row[0] for row in read(SQL["members"], (group,))]
        groups = [row[1] for row in read(SQL["inner_groups"], (group,))]
        outer = [row[0] for row in read(SQL["outer_group"], (group,))]
        return Members(tasks, groups, outer[0] if outer else None)

    def counts(self) -> list[QueueCount]:
        rows = self._session().read(SQL["counts"])
        return [QueueCount(str(queue), Phase(phase), int(n)) for queue, phase, n in rows]

    def listing(
        self,
        phases: Sequence[Phase],
        limit: int,
        *,
        task: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        pairs = None if headers is None else json.dumps(list(headers.items()))
        values = {"task": task, "headers": pairs, "limit": limit}
        rows = self._session().read(listing_sql(phases), values)
        return [record_of(row) for row in rows]

    def workers(self) -> list[WorkerInfo]:
        rows = map(WorkerRow._make, self._session().read(SQL["workers"]))
        return [row.public for row in rows if row.is_dead() is not True]

    def purge(self, queues: Sequence[str] | None) -> int:
        now = self.clock()
        return self._session().write(self._sent, lambda db: drop_waiting(db, queues, now))

    def examine(self, *, thorough: bool = False) -> Examination:
        durability = self.location.durability
        facts = gather(self._present(), durability, self.clock(), thorough=thorough)
        return Examination(facts._asdict(), judge(facts))

    def mend(self) -> list[str]:
        return put_right(self._present(), self._sent)

    def compact(self) -> None:
        self._present().vacuum()

    def backup(self, path: str) -> None:
        copy(self._present(), path)

    def _present(self) -> Session:
        """The session of a store that tools look at: they make none."""
        if not os.path.lexists(self.location.path):
            raise BrokerUnavailable(
                f"there is no {self.location.path}: nothing was ever sent to it, or -A or -b names "
                f"another store than you think"
            )
        return self._session()

    @abstractmethod
    def _session(self) -> Session:
        """The session of the calling thread."""
