"""Limits of tasks: who waits for one, and who passes. What ../admission.py asks, in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from sqlite3 import Connection
from typing import Any

from ...model.limit import LimitRule, LimitState, LimitUse, has_uses, mark_of, uses_in
from ...model.message import LIMITED, Message
from ...model.outcome import Settlement
from ...states import Phase
from ..admission import LimitRow, Lines, Other, Standing, admit, count_starts
from .changes import Changes
from .rows import Row
from .statements import load

_SQL = load("limits.sql")
_STANDS, _WAITS = 2, 3  # states of a use


# tasks come


def note_new(db: Connection, messages: Iterable[Message], changes: Changes) -> None:
    """Note those of `messages`, which are just stored, that have limits."""
    for message in messages:
        if has_uses(message.options):
            for seq, phase in db.execute(_SQL["newest"], (message.id,)).fetchall():
                _mark(db, seq, message)
                if phase == Phase.READY:
                    changes.asking.append(seq)


def note_retried(db: Connection, retries: Iterable[Settlement], changes: Changes) -> None:
    """Note those tasks which run again that have limits: they have to ask once more."""
    for each in retries:
        assert each.retry is not None
        if each.tied & LIMITED or has_uses(each.retry.options):
            seq = int(each.receipt.key)
            _mark(db, seq, each.retry)
            changes.asking.append(seq)


def note_woken(tied: Any, seq: int, changes: Changes) -> None:
    """Note a task that is made READY; `tied` as it is stored."""
    if isinstance(tied, int) and tied & LIMITED:
        changes.asking.append(seq)


def _mark(db: Connection, seq: int, message: Message) -> None:
    db.execute(_SQL["mark"], {"seq": seq, "mark": mark_of(message)})


# tasks go


def count_all_starts(db: Connection, settlements: Iterable[Settlement], now: float) -> None:
    """Count the starts of tasks before their settlements are written."""
    limited = [
        each for each in settlements if each.tied & LIMITED and each.phase is not Phase.RUNNING
    ]
    for each in limited:  # any limit may have been given a rate at run time
        for (key,) in db.execute(_SQL["rates_of"], (each.receipt.key,)).fetchall():
            count_starts(SqliteLines(db, now, Changes()), key)


def leave(db: Connection, seq: int, changes: Changes) -> None:
    """Note that a task has ended, or runs later: it is under no limit any more."""
    changes.limits.update(key for (key,) in db.execute(_SQL["keys_of"], (seq,)).fetchall())
    db.execute(_SQL["leave"], (seq,))


def leave_settled(db: Connection, written: Iterable[Settlement], changes: Changes) -> None:
    """Note that the tasks of these settlements have ended, or run again."""
    for each in written:
        if each.tied & LIMITED and each.phase is not Phase.RUNNING:
            leave(db, int(each.receipt.key), changes)


def leave_ended(db: Connection, rows: Iterable[tuple[int, Any]], changes: Changes) -> None:
    """Note those of `rows`, the `seq` and `tied` of tasks that have ended, which have limits."""
    for seq, tied in rows:
        if isinstance(tied, int) and tied & LIMITED:
            leave(db, seq, changes)


def not_begun(db: Connection, seq: int, tied: Any) -> None:
    """Note that a task was claimed and is ready again: it has passed, and has not started."""
    if isinstance(tied, int) and tied & LIMITED:
        db.execute(_SQL["not_begun"], (seq,))


def leave_purged(db: Connection, queues: str | None, changes: Changes) -> None:
    """Note the limits of tasks that are about to be dropped, as `purge` in statements.sql says."""
    rows = db.execute(_SQL["keys_of_purged"], {"queues": queues}).fetchall()
    changes.limits.update(key for (key,) in rows)


def leave_discarded(db: Connection, id: str, created: float | None, changes: Changes) -> None:
    """Note the limits of a task that is about to be deleted, as it is in another store."""
    rows = db.execute(_SQL["keys_of_arrival"], (id, created)).fetchall()
    changes.limits.update(key for (key,) in rows)


# admission


def admit_all(db: Connection, changes: Changes, now: float) -> None:
    """Let the tasks wait, or pass, that limits concern in this transaction. To be called last."""
    while changes.asking or changes.limits:
        for seq in changes.asking:
            _ask(db, seq, changes, now)
        keys, changes.limits, changes.asking = changes.limits, set(), []
        admit(SqliteLines(db, now, changes), keys)


def _ask(db: Connection, seq: int, changes: Changes, now: float) -> None:
    """Let a task that is READY stand in the line of its first limit."""
    for options, priority in db.execute(_SQL["asking"], (seq,)).fetchall():
        uses = _uses_in(options)
        if not uses:
            db.execute(_SQL["mark"], {"seq": seq, "mark": 0})
            return
        db.execute(_SQL["block"], (seq,))
        for n, use in enumerate(uses):
            _define(db, use)
            state = _WAITS if n else _STANDS
            db.execute(_SQL["wait"], (seq, use.key, priority, state, use.cost, now))
        changes.limits.add(uses[0].key)


def _uses_in(options: Any) -> Sequence[LimitUse]:
    is_text = isinstance(options, str)
    return uses_in(Message("", "", b"", "", "", options=options)) if is_text else ()


def _define(db: Connection, use: LimitUse) -> None:
    rule = use.rule
    if use.name != use.key:
        for row in db.execute(_SQL["rule_of_name"], (use.name,)).fetchall():
            rule = LimitRule._make(row)
    db.execute(_SQL["define"], (use.key, use.name, *rule))


class SqliteLines(Lines):
    """The limits and their lines, in SQL."""

    def __init__(self, db: Connection, now: float, changes: Changes) -> None:
        self._db = db
        self.now = now
        self._changes = changes

    def row(self, key: str) -> LimitRow | None:
        for running, rate, burst, fixed, free, held in self._rows("row", key):
            return LimitRow(
                *(_whole(running), _number(rate) or None, _whole(burst)),
                *(bool(fixed), _number(free), _number(held)),
            )
        return None

    def count_starts(self, key: str) -> list[tuple[float, int]]:
        rows = self._rows("started", key)
        self._db.executemany(_SQL["count_start"], [(task, key) for _, _, task in rows])
        return [(started, cost) for started, cost, _ in rows]

    def taken(self, key: str) -> int:
        return int(self._rows("taken", key)[0][0])

    def ahead(self, key: str) -> int:
        return int(self._rows("ahead", key)[0][0])

    def line(self, key: str, limit: int) -> list[Standing]:
        return [
            Standing(task, (-priority, seq), cost, _number(denied), _number(expires))
            for task, seq, priority, cost, denied, expires in self._rows("line", key, limit)
        ]

    def others(self, task: int | str, key: str) -> list[Other]:
        return [
            Other(name, cost, bool(stands))
            for name, cost, stands in self._rows("others", task, key)
        ]

    def let_pass(self, task: int | str, *, counted: bool) -> None:
        queues = self._rows("make_ready", task)
        for (queue,) in queues:
            self._changes.woken(queue)
        self._db.execute(_SQL["pass" if queues and counted else "leave"], (task,))

    def move(self, task: int | str, key: str) -> None:
        self._db.execute(_SQL["move"], {"task": task, "key": key, "now": self.now})

    def stand_in_all(self, task: int | str) -> None:
        self._db.execute(_SQL["stand_in_all"], (task,))

    def set_free(self, key: str, free: float | None) -> None:
        self._db.execute(_SQL["set_free"], (free, key))

    def set_look(self, key: str, look: float | None) -> None:
        for (before,) in self._rows("look", key):
            if look != before:
                self._db.execute(_SQL["set_look"], (look, key))
            if look is not None and (_number(before) is None or look < before):
                self._changes.looks = True
        if look is None and self._db.execute(_SQL["keep_unused"], (key,)).rowcount:
            self._db.execute(_SQL["drop_unused"], (key, self.now))

    def _rows(self, name: str, *values: object) -> list[Row]:
        return self._db.execute(_SQL[name], values).fetchall()


def _number(value: Any) -> float | None:
    """Return a stored number; None for what another program has written in its place."""
    return value if isinstance(value, int | float) and isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


# now and then


def look_at_due(db: Connection, changes: Changes, now: float) -> None:
    """Look at the lines whose moment has come."""
    changes.limits.update(key for (key,) in db.execute(_SQL["due"], (now,)).fetchall())


def sweep(db: Connection, limit: int, now: float) -> None:
    """Delete up to `limit` limits that nothing uses and that say nothing any more."""
    db.execute(_SQL["sweep"], (now, limit))


def mend(db: Connection, statements: Mapping[str, str], now: float) -> int:
    """Let tasks ask once more that nobody would let pass; return how many.

    `statements`: those of checkup.sql.
    """
    changes = Changes()
    before: int = sum(n for (n,) in db.execute(statements["left_lines"]).fetchall())
    changes.limits.update(key for (key,) in db.execute(statements["forget_leaked"]).fetchall())
    leaked = len(changes.limits)
    for (seq,) in db.execute(statements["ask_again"], (now,)).fetchall():
        leave(db, seq, changes)
        changes.asking.append(seq)
    asked = len(changes.asking)
    changes.limits.update(key for (key,) in db.execute(statements["lines"]).fetchall())
    admit_all(db, changes, now)
    return before + leaked + asked


# what users set


def set_limit(db: Connection, key: str, rule: LimitRule, *, fixed: bool, changes: Changes) -> None:
    """Set the numbers of a limit, or of all that have this name."""
    values = {"key": key, "fixed": fixed, **rule._asdict()}
    db.execute(_SQL["set"], values)
    rows = db.execute(_SQL["set_of_name"], values).fetchall() if "{}" in key else []
    for name in (key, *(name for (name,) in rows)):
        _recall(db, name, changes)


def hold_limit(db: Connection, key: str, until: float | None, changes: Changes) -> None:
    """Let none pass before a moment; None: end that."""
    db.execute(_SQL["hold"], {"key": key, "held": until})
    _recall(db, key, changes)


def _recall(db: Connection, key: str, changes: Changes) -> None:
    """Let the tasks that have passed a limit and not started wait for it once more."""
    for (seq,) in db.execute(_SQL["recall"], (key,)).fetchall():
        changes.limits.update(name for (name,) in db.execute(_SQL["keys_of"], (seq,)).fetchall())
        db.execute(_SQL["block"], (seq,))
        db.execute(_SQL["stand"], (key, seq))
    changes.limits.add(key)


def limits_of(read: Callable[[str], list[Row]]) -> list[LimitState]:
    """Return all limits; `read` runs a query."""
    found = []
    for row in read(_SQL["limits"]):
        key, name, running, rate, burst, fixed, held, free, passed, waiting, since = row
        rule = LimitRule(_whole(running), _number(rate), _whole(burst))
        times = _number(held), _number(free)
        state = LimitState(key, name, rule, bool(fixed), *times, passed, waiting, _number(since))
        found.append(state)
    return found
