"""Pauses, and what claims pass over, in the tables."""

from collections.abc import Iterable, Iterator

from ...model.message import Record
from ...model.pause import LeftTasks, Pause, pause_of
from ...states import Phase
from ..base import Claim
from .listeners import notify
from .records import finished
from .store import MemoryStore


class MemoryPausing(MemoryStore):
    """The part of the broker that has the verbs of pauses."""

    def pause(self, pause: Pause) -> bool:
        with self._transaction() as tables:
            key = pause.kind, pause.name
            known = tables.pauses.get(key)
            tables.pauses[key] = pause if known is None else pause._replace(since=known.since)
            return known is None

    def resume(self, kind: str, name: str) -> bool:
        with self._transaction() as tables:
            notify(self._work_listeners)
            return tables.pauses.pop((kind, name), None) is not None

    def pauses(self) -> list[Pause]:
        with self._lock:
            return sorted(self._tables.pauses.values())

    def left(self) -> list[LeftTasks]:
        with self._lock:
            ready = [(r.message.queue, r.message.task) for r in self._tables.in_phases(Phase.READY)]
            found = sorted(self._tables.left.items())
        return [LeftTasks(*key, ready.count(key), since) for key, since in found if key in ready]

    def expire(self, limit: int, keep: float | None) -> bool:
        with self._transaction() as tables:
            for record in tables.in_phases(Phase.READY):
                _, task, _, _, queue, _, _, expires, *_ = record.message
                paused = pause_of(tables.pauses.values(), queue, task) is not None
                over = expires is not None and expires <= self.clock()
                if over and (paused or (queue, task) in tables.left):
                    self._put(finished(record, Phase.EXPIRED, self.clock(), keep))
            return True

    def _open(self, ready: Iterable[Record], claim: Claim) -> Iterator[Record]:
        """Yield those of `ready` that the worker of `claim` may have; note which it leaves."""
        tables, known = self._tables, self._knowledge.of(claim.worker)
        waiting = {(r.message.queue, r.message.task) for r in tables.in_phases(Phase.READY)}
        tables.left = {key: since for key, since in tables.left.items() if key in waiting}
        for record in ready:
            queue, task = record.message.queue, record.message.task
            if pause_of(tables.pauses.values(), queue, task) is not None:
                continue
            if known is None or task in known:
                yield record
            else:
                tables.left.setdefault((queue, task), self.clock())
                self._knowledge.log_left(claim.worker, [task])
