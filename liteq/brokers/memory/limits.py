"""Limits of tasks, in the tables. What ../admission.py asks."""

from collections.abc import Callable, Iterable

from ...model.limit import LimitRule, LimitState, LimitUse, uses_in
from ...model.message import Record
from ...states import Phase
from ..admission import LimitRow, Lines, Other, Standing, admit, count_starts
from .tables import StoredLimit, StoredUse, Tables, UseState

_PASSED = (UseState.PASSED, UseState.COUNTED)


class MemoryLimits(Lines):
    """The limits and their lines, in the tables; `put` stores a changed record."""

    def __init__(self, tables: Tables, now: float, put: Callable[[Record], None]) -> None:
        self.now = now
        self._tables = tables
        self._put = put

    # what becomes of tasks

    def asking(self, record: Record) -> Record:
        """Return the record of a task that is READY, as one that waits if it has limits."""
        tables, id = self._tables, record.message.id
        uses = uses_in(record.message)
        if not uses or id in tables.uses:
            return record
        for use in uses:
            self._define(use)
        states = [UseState.STANDS, *[UseState.WAITS] * (len(uses) - 1)]
        tables.uses[id] = {
            use.key: StoredUse(state, use.cost, self.now)
            for use, state in zip(uses, states, strict=True)
        }
        tables.looks.add(uses[0].key)
        return self._waiting(record)

    def leave(self, id: str) -> None:
        """Note that a task has ended, or runs later: it is under no limit any more."""
        for key in self._tables.uses.get(id, ()):
            count_starts(self, key)
            self._tables.looks.add(key)
        self._tables.uses.pop(id, None)

    def not_begun(self, id: str) -> None:
        """Note that a task was claimed and is ready again: it has passed, and has not started."""
        for key, use in self._tables.uses.get(id, {}).items():
            if use.state is UseState.COUNTED:
                self._set(id, key, use._replace(state=UseState.PASSED))

    def admit_all(self) -> None:
        """Let the tasks pass that can, of the limits that are to be looked at."""
        while self._tables.looks:
            keys, self._tables.looks = self._tables.looks, set()
            admit(self, keys)

    def look_at_due(self) -> float | None:
        """Look at the lines whose moment has come; return when the next will be."""
        limits = self._tables.limits
        due = [key for key, each in limits.items() if (each.look or self.now + 1) <= self.now]
        self._tables.looks.update(due)
        self.admit_all()
        return min((each.look for each in limits.values() if each.look is not None), default=None)

    def _define(self, use: LimitUse) -> None:
        limits = self._tables.limits
        of_name = limits.get(use.name)
        rule = of_name.rule if of_name is not None and of_name.fixed else use.rule
        known = limits.get(use.key)
        if known is None:
            limits[use.key] = StoredLimit(use.name, rule)
        elif not known.fixed:
            limits[use.key] = known._replace(name=use.name, rule=rule)

    def _waiting(self, record: Record) -> Record:
        uses = self._tables.uses[record.message.id]
        keys = [key for key, use in uses.items() if use.state is UseState.STANDS]
        since = min(use.since for use in uses.values())
        return record._replace(phase=Phase.WAITING, limit=min(keys), since=since)

    def _set(self, id: str, key: str, use: StoredUse) -> None:
        self._tables.uses[id] = {**self._tables.uses[id], key: use}

    # what users set

    def set_limit(self, key: str, rule: LimitRule, *, fixed: bool) -> None:
        """Set the numbers of a limit, or of all that have this name."""
        limits = self._tables.limits
        limits[key] = limits.get(key, StoredLimit(key))._replace(rule=rule, fixed=fixed)
        named = [name for name, each in limits.items() if each.name == key and not each.fixed]
        for name in named if "{}" in key else ():
            limits[name] = limits[name]._replace(rule=rule)
            self._recall(name)
        self._recall(key)

    def hold(self, key: str, until: float | None) -> None:
        """Let none pass before a moment; None: end that."""
        limits = self._tables.limits
        limits[key] = limits.get(key, StoredLimit(key))._replace(held=until)
        self._recall(key)

    def _recall(self, key: str) -> None:
        """Let the tasks that have passed a limit and not started wait for it once more."""
        for id, uses in list(self._tables.uses.items()):
            record = self._tables.tasks[id]
            if key in uses and record.phase is Phase.READY:
                self._tables.looks.update(uses)
                self._stand(id, key)
                self._put(self._waiting(record))
        self._tables.looks.add(key)

    def states(self) -> list[LimitState]:
        """Return all limits."""
        return [self._state(key) for key in sorted(self._tables.limits)]

    def _state(self, key: str) -> LimitState:
        name, rule, fixed, free, held, _ = self._tables.limits[key]
        standing = [each.task for each in self.line(key, len(self._tables.uses))]
        since = self._tables.tasks[str(standing[0])].since if standing else None
        passed = self.taken(key)
        return LimitState(key, name, rule, fixed, held, free, passed, len(standing), since)

    # what `Lines` asks and does

    def row(self, key: str) -> LimitRow | None:
        stored = self._tables.limits.get(key)
        if stored is None:
            return None
        return LimitRow(*stored.rule, stored.fixed, stored.free, stored.held)

    def count_starts(self, key: str) -> list[tuple[float, int]]:
        found = []
        for record, use in self._uses(key, UseState.PASSED):
            if record.started is not None:
                found.append((record.started, record.seq, use.cost))
                self._set(record.message.id, key, use._replace(state=UseState.COUNTED))
        return [(started, cost) for started, _, cost in sorted(found)]

    def taken(self, key: str) -> int:
        return sum(use.cost for _, use in self._uses(key, *_PASSED))

    def ahead(self, key: str) -> int:
        return sum(use.cost for _, use in self._uses(key, UseState.PASSED))

    def line(self, key: str, limit: int) -> list[Standing]:
        found = [
            Standing(
                record.message.id,
                (-record.message.priority, record.seq),
                use.cost,
                use.denied,
                record.message.expires,
            )
            for record, use in self._uses(key, UseState.STANDS)
        ]
        return sorted(found, key=lambda each: each.order)[:limit]

    def others(self, task: int | str, key: str) -> list[Other]:
        uses = sorted(self._tables.uses[str(task)].items())
        return [
            Other(name, use.cost, use.state is UseState.STANDS) for name, use in uses if name != key
        ]

    def let_pass(self, task: int | str, *, counted: bool) -> None:
        id = str(task)
        uses = self._tables.uses[id]
        if counted:
            passed = {key: use._replace(state=UseState.PASSED) for key, use in uses.items()}
            self._tables.uses[id] = passed
        else:
            # Still there, so that it does not ask again.
            self._tables.uses[id] = {}
        record = self._tables.tasks[id]
        self._put(record._replace(phase=Phase.READY, limit=None, since=None))

    def move(self, task: int | str, key: str) -> None:
        id = str(task)
        self._stand(id, key)
        for name, use in self._tables.uses[id].items():
            denied = self.now if use.denied is None else use.denied
            self._set(id, name, use._replace(denied=denied))
        self._put(self._waiting(self._tables.tasks[id]))

    def stand_in_all(self, task: int | str) -> None:
        id = str(task)
        for name, use in self._tables.uses[id].items():
            self._set(id, name, use._replace(state=UseState.STANDS))
        self._put(self._waiting(self._tables.tasks[id]))

    def set_free(self, key: str, free: float | None) -> None:
        self._tables.limits[key] = self._tables.limits[key]._replace(free=free)

    def set_look(self, key: str, look: float | None) -> None:
        stored = self._tables.limits.get(key)
        if stored is not None:
            self._tables.limits[key] = stored._replace(look=look)
            self.drop_unused([key])

    def drop_unused(self, keys: Iterable[str], limit: int | None = None) -> None:
        """Delete those limits that nothing uses and that say nothing any more."""
        used = {key for uses in self._tables.uses.values() for key in uses}
        found = []
        for key in keys:
            each = self._tables.limits[key]
            keep_until = max(each.free or 0.0, each.held or 0.0)
            if not each.fixed and each.look is None and key not in used and keep_until <= self.now:
                found.append((keep_until, key))
        for _, key in sorted(found)[:limit]:
            del self._tables.limits[key]

    def _stand(self, id: str, key: str) -> None:
        for name, use in self._tables.uses[id].items():
            state = UseState.STANDS if name == key else UseState.WAITS
            self._set(id, name, use._replace(state=state))

    def _uses(self, key: str, *states: UseState) -> list[tuple[Record, StoredUse]]:
        return [
            (self._tables.tasks[id], uses[key])
            for id, uses in self._tables.uses.items()
            if key in uses and uses[key].state in states
        ]
