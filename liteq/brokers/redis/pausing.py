"""The verbs of pauses, and of what claims pass over."""

from functools import partial

from ...model.pause import LeftTasks, Pause, stored_pause
from ..expiring import passed_over
from ..pausing import BREAK
from .replies import fields_of, moment, text_of
from .store import RedisStore


class RedisPausing(RedisStore):
    """The part of the broker that has the verbs of pauses."""

    def pause(self, pause: Pause) -> bool:
        kind, name, since, schedules = pause
        args = (str(kind), name, since, schedules)
        return bool(self.server.run_replicated("pause", self.clock(), *args))

    def resume(self, kind: str, name: str) -> bool:
        return bool(self.server.run_replicated("resume", self.clock(), str(kind), name))

    def pauses(self) -> list[Pause]:
        reply = self.server.execute("HGETALL", f"{self.location.prefix}:paused")
        fields = reply if isinstance(reply, dict) else fields_of(reply)
        found = []
        for field, value in fields.items():
            kind, _, name = text_of(field).partition(":")
            since, _, schedules = text_of(value).partition("\n")
            found.append(stored_pause(kind, name, since, schedules))
        return sorted(found)

    def left(self) -> list[LeftTasks]:
        found = []
        for stored, since, tasks in self._run("left"):
            queue, apart, task = text_of(stored).partition(BREAK)
            if apart and tasks:
                found.append(LeftTasks(queue, task, int(tasks), moment(since) or 0.0))
        return sorted(found)

    def expire(self, limit: int, keep: float | None) -> bool:
        prefix = self.location.prefix
        if not self.server.execute("EXISTS", f"{prefix}:paused", f"{prefix}:left"):
            return True
        queues = passed_over(dict.fromkeys(self._queues()), self.pauses())
        return self._expiry.run(queues, limit, partial(self._expire, keep=keep))

    def _expire(self, queue: str, skip: int, size: int, *, keep: float | None) -> tuple[int, int]:
        """Do what `Look` says."""
        now = self.clock()
        kept_until = "" if keep is None else now + keep
        seen, ended = self.server.run("expire", now, kept_until, queue, skip, size)
        return int(seen), int(ended)
