"""Unique keys of tasks, in a transaction."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from ...exceptions import InvalidTaskError
from ...model.checks import check_message
from ...model.message import Message, Record
from ...model.unique import UniqueKey, key_of, with_arguments_of
from ...states import Phase, phase_for_eta
from .. import uniquekeys
from ..uniquekeys import Action, Answers, Decision, Holder
from .changes import Changes
from .rows import Row, initial_tokens, task_row
from .statements import SQL, load

_SQL = load("unique.sql")
_PHASES = {int(phase): phase for phase in Phase}


def insert_keyed(
    db: Connection, messages: Sequence[Message], now: float, changes: Changes
) -> Answers:
    """Store those of `messages` whose ids are new, some of which have keys; return the ids of the
    tasks that answer for others. Raises DuplicateTask."""
    answers = {}
    tokens = initial_tokens()
    for message in messages:
        key = key_of(message)
        if key is None:
            db.execute(SQL["enqueue"], task_row(message, now, next(tokens)))
            changes.sent([message])
        elif not db.execute(SQL["is_known"], (message.id,)).fetchall():
            answer = send(db, message, key, now, changes, by_caller=True)
            if answer is not None:
                answers[message.id] = answer
    return answers


def send(
    db: Connection,
    message: Message,
    key: UniqueKey,
    now: float,
    changes: Changes,
    *,
    by_caller: bool,
) -> str | None:
    """Store a message with a key; return None, or the id of the task that answers for it.

    Unless it is sent `by_caller`, it hands over no arguments, and nobody is told that it is
    refused. Raises DuplicateTask.
    """
    decision = _decide(db, message, key, now, gives=by_caller)
    if decision.action is not Action.STORE:
        return _answer(db, message, key, decision, now, changes, by_caller=by_caller)
    db.execute(SQL["enqueue"], task_row(message, now, next(initial_tokens())))
    db.execute(_SQL["tie"], (message.id,))
    _keep(db, message, key, decision, now, changes)
    return None


def tie(db: Connection, ids: Iterable[str]) -> None:
    """Note that something may follow from the ends of these tasks, which have keys."""
    db.executemany(_SQL["tie"], [(id,) for id in ids])


def ask_all(
    db: Connection, ids: Iterable[str], now: float, changes: Changes, *, by_caller: bool = False
) -> Answers:
    """Let tasks ask for their keys, as `ask` does; return what it does, by their ids."""
    answers = {id: ask(db, id, now, changes, by_caller=by_caller) for id in ids}
    return {id: answer for id, answer in answers.items() if answer is not None}


def ask(
    db: Connection, id: str, now: float, changes: Changes, *, by_caller: bool = False
) -> str | None:
    """Let a task that is stored, and has just become able to run, ask for its key.

    Returns None, or the id of the task as which it is to end. `by_caller`: as for `send`.
    """
    message = _asking(db, id)
    key = message and key_of(message)
    if message is None or key is None:
        return None
    decision = _decide(db, message, key, now, gives=by_caller)
    if decision.holder is not None and _waits_for(db, decision.holder.id, id):
        decision = Decision(Action.STORE, None, message.eta)
    if decision.action is Action.STORE:
        _keep(db, message, key, decision, now, changes)
        return None
    answer = _answer(db, message, key, decision, now, changes, by_caller=by_caller)
    db.execute(_SQL["keep"], (None, "", None, answer, id))
    db.execute(_SQL["hold_back"], (id,))
    if decision.holder is not None and decision.holder.phase.final:
        release(db, answer, now, changes)
    return answer


def bring_keys(db: Connection, stored: Iterable[tuple[Record, bool]], now: float) -> None:
    """Let tasks of another store have their keys here, or ask for them. Of each: whether it has run
    before."""
    asking = []
    for record, has_run in stored:
        message = record.message
        key = key_of(message)
        if key is None:
            continue
        tie(db, [message.id])
        if record.phase in (Phase.SCHEDULED, Phase.READY) and not has_run:
            asking.append(message.id)
        elif has_run or record.phase.final:
            kept = uniquekeys.kept_until(key, record.created, message.eta)
            until = uniquekeys.until_of(key)
            db.execute(_SQL["keep"], (key.key, until, kept, None, message.id))
    ask_all(db, asking, now, Changes())  # all workers are notified


def release(db: Connection, id: str, now: float, changes: Changes) -> None:
    """Let the tasks run that had to wait for the end of the task `id`."""
    for seq, queue, eta, follows in db.execute(_SQL["held_back"], (id,)).fetchall():
        phase = Phase.READY if follows else phase_for_eta(eta, now)
        db.execute(_SQL["let_go"], (phase, id if follows else None, seq))
        db.execute(_SQL["stop_waiting"], (seq,))
        changes.woken(queue, later=phase is Phase.SCHEDULED)


def follows(db: Connection, id: str) -> bool:
    """Return whether a task does not run, but ends as another one of its key."""
    return db.execute(_SQL["is_held_back"], (id,)).fetchall() == [(1,)]


def followed(db: Connection, seq: int | str) -> Row | None:
    """Return the end of the task as which a claimed one is to end: phase, serializer, result,
    traceback, and the task by which it failed. None: it runs."""
    return next(iter(db.execute(_SQL["followed"], (seq,)).fetchall()), None)


def _asking(db: Connection, id: str) -> Message | None:
    """Return the message of a task that could run; None if it cannot, or cannot be read."""
    rows = db.execute(_SQL["asking"], (id,)).fetchall()
    for *fields, phase in rows:
        if phase in (Phase.SCHEDULED, Phase.READY):
            message = Message._make(fields)
            try:
                check_message(message)
            except InvalidTaskError:
                return None  # it is set aside when it is claimed
            return message
    return None


def _decide(
    db: Connection, message: Message, key: UniqueKey, now: float, *, gives: bool
) -> Decision:
    rows = db.execute(_SQL["holders"], (key.key, message.id)).fetchall()
    holders = [Holder(id, _PHASES.get(phase, Phase.WAITING), *rest) for id, phase, *rest in rows]
    return uniquekeys.decide(key, holders, now, message.eta, gives=gives)


def _keep(
    db: Connection,
    message: Message,
    key: UniqueKey,
    decision: Decision,
    now: float,
    changes: Changes,
) -> None:
    """Let a task that is stored have its key, or wait for the one that has it."""
    behind = decision.holder and decision.holder.id
    until, kept = uniquekeys.until_of(key), uniquekeys.kept_until(key, now, decision.eta)
    db.execute(_SQL["drop_ended"], (key.key, now))
    db.execute(_SQL["keep"], (key.key, until, kept, behind, message.id))
    phase = phase_for_eta(decision.eta, now)
    if decision.eta != message.eta:
        db.execute(_SQL["set_eta"], (phase, decision.eta, message.id))
    if behind is not None:
        db.execute(_SQL["hold_back"], (message.id,))
    else:
        changes.woken(message.queue, later=phase is Phase.SCHEDULED)


def _answer(
    db: Connection,
    message: Message,
    key: UniqueKey,
    decision: Decision,
    now: float,
    changes: Changes,
    *,
    by_caller: bool,
) -> str:
    """Do what a message that is not run does to the task that has its key; return that one's id."""
    holder = decision.holder
    assert holder is not None
    if decision.action is Action.REFUSE and by_caller:
        raise uniquekeys.refusal(message, key, holder.id)
    if decision.action is Action.GIVE and holder.newest != message.id:
        _give(db, message, holder.id, decision.eta, now, changes)
    return holder.id


def _give(
    db: Connection,
    message: Message,
    holder: str,
    eta: float | None,
    now: float,
    changes: Changes,
) -> None:
    """Give the arguments of a call to a task that waits, which is to run at `eta`."""
    ((*fields, takes),) = db.execute(_SQL["to_be_given"], (holder,)).fetchall()
    given = with_arguments_of(Message._make(fields), message, eta, takes=bool(takes))
    values = (given.payload, given.serializer, given.expires, eta, given.options)
    phase = phase_for_eta(eta, now)
    for queue, after in db.execute(_SQL["give"], (*values, phase, holder)).fetchall():
        if after in (Phase.SCHEDULED, Phase.READY):
            changes.woken(queue, later=after == Phase.SCHEDULED)
    db.execute(_SQL["note_newest"], (message.id, holder))


def _waits_for(db: Connection, id: str, other: str) -> bool:
    def awaited_by(task: str) -> list[str]:
        found: list[str] = []
        for waits, barrier, behind in db.execute(_SQL["awaited_by"], (task,)).fetchall():
            found += [behind] if behind is not None else []
            if waits is not None and barrier:
                rows = db.execute(_SQL["unfinished_members"], (waits,)).fetchall()
                found += [member for (member,) in rows]
            elif waits is not None:
                found.append(waits)
        return found

    return uniquekeys.waits_for(awaited_by, id, other)
