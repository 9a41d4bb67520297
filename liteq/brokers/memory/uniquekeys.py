"""Unique keys, in the tables."""

from collections.abc import Callable

from ...model.graph import ALONE
from ...model.message import Message, Record
from ...model.unique import UniqueKey, key_of, with_arguments_of
from ...states import Phase, phase_for_eta
from .. import uniquekeys
from ..uniquekeys import Action, Decision, Holder
from .records import new_record
from .tables import KeyUse, Tables


class MemoryKeys:
    """The unique keys of tasks; `put` stores a changed record."""

    def __init__(self, tables: Tables, now: float, put: Callable[[Record], None]) -> None:
        self._tables = tables
        self._now = now
        self._put = put

    def send(self, message: Message, key: UniqueKey, *, by_caller: bool) -> str | None:
        """Store a message with a key; return None, or the id of the task that answers for it.

        Unless it is sent `by_caller`, it hands over no arguments, and nobody is told that it is
        refused. Raises DuplicateTask.
        """
        decision = self._decide(message, key, gives=by_caller)
        holder = decision.holder
        if decision.action is not Action.STORE:
            assert holder is not None
            self._answer(message, key, decision, holder, by_caller=by_caller)
            return holder.id
        self._tables.places[message.id] = ALONE._replace(followed=True)
        self._keep(new_record(message, self._now), key, decision)
        return None

    def ask(self, id: str, *, by_caller: bool = False) -> str | None:
        """Let a task that is stored, and has just become able to run, ask for its key.

        Returns None, or the id of the task as which it is to end. `by_caller`: as for `send`.
        """
        record = self._tables.tasks[id]
        key = key_of(record.message)
        if key is None or record.phase not in (Phase.SCHEDULED, Phase.READY):
            return None
        decision = self._decide(record.message, key, gives=by_caller)
        holder = decision.holder
        if holder is not None and self._waits_for(holder.id, id):
            decision = Decision(Action.STORE, None, record.message.eta)
        if decision.action is Action.STORE:
            self._keep(record, key, decision)
            return None
        assert holder is not None
        self._answer(record.message, key, decision, holder, by_caller=by_caller)
        self._follow(record, holder)
        return holder.id

    def release(self, id: str) -> None:
        """Let the tasks run that had to wait for the end of the task `id`."""
        for name, use in list(self._tables.keys.items()):
            record = self._tables.tasks.get(name)
            if use.behind == id and record is not None and record.phase is Phase.WAITING:
                self._let_go(record, use)

    def _let_go(self, record: Record, use: KeyUse) -> None:
        if use.follows:
            self._put(record._replace(phase=Phase.READY, woken_by=use.behind))
        else:
            self._tables.keys[record.message.id] = use._replace(behind=None)
            self._put(record._replace(phase=phase_for_eta(record.message.eta, self._now)))

    def held_back(self, id: str) -> bool:
        """Return whether a task waits for another one of its key, or has, to end as that one."""
        use = self._tables.keys.get(id)
        return use is not None and use.behind is not None

    def follows(self, id: str) -> bool:
        """Return whether a task does not run, but ends as another one of its key."""
        use = self._tables.keys.get(id)
        return use is not None and use.follows

    def _decide(self, message: Message, key: UniqueKey, *, gives: bool) -> Decision:
        holders = [
            self._holder(id, use)
            for id, use in reversed(self._tables.keys.items())
            if use.key == key.key and id != message.id
        ]
        return uniquekeys.decide(key, holders, self._now, message.eta, gives=gives)

    def _holder(self, id: str, use: KeyUse) -> Holder:
        record = self._tables.tasks[id]
        return Holder(
            id,
            record.phase,
            bool(self._tables.attempts.get(id)),
            use.until,
            use.keep_until,
            record.created,
            record.message.eta,
            record.message.expires,
            use.newest,
        )

    def _keep(self, record: Record, key: UniqueKey, decision: Decision) -> None:
        """Store a task that has its key, or waits for the one that has it."""
        behind = decision.holder and decision.holder.id
        self._tables.keys.pop(record.message.id, None)  # the newest is the last one
        self._tables.keys[record.message.id] = KeyUse(
            key.key,
            uniquekeys.until_of(key),
            uniquekeys.kept_until(key, self._now, decision.eta),
            behind,
        )
        phase = phase_for_eta(decision.eta, self._now) if behind is None else Phase.WAITING
        message = record.message._replace(eta=decision.eta)
        self._put(record._replace(message=message, phase=phase))

    def _answer(
        self,
        message: Message,
        key: UniqueKey,
        decision: Decision,
        holder: Holder,
        *,
        by_caller: bool,
    ) -> None:
        """Do what a message that is not run does to the one that has its key."""
        if decision.action is Action.REFUSE and by_caller:
            raise uniquekeys.refusal(message, key, holder.id)
        if decision.action is not Action.GIVE or holder.newest == message.id:
            return
        tables = self._tables
        record, place = tables.tasks[holder.id], tables.places.get(holder.id, ALONE)
        given = with_arguments_of(record.message, message, decision.eta, takes=place.takes)
        tables.keys[holder.id] = tables.keys[holder.id]._replace(newest=message.id)
        phase = record.phase
        if phase in (Phase.SCHEDULED, Phase.READY):
            phase = phase_for_eta(decision.eta, self._now)
        self._put(record._replace(message=given, phase=phase))

    def _follow(self, record: Record, holder: Holder) -> None:
        """Let a task that does not run end as the one that has its key."""
        use = KeyUse(None, behind=holder.id, follows=True)
        self._tables.keys[record.message.id] = use
        waiting = record._replace(phase=Phase.WAITING)
        self._put(waiting)
        if holder.phase.final:
            self._let_go(waiting, use)

    def _waits_for(self, id: str, other: str) -> bool:
        return uniquekeys.waits_for(self._awaited_by, id, other)

    def _awaited_by(self, id: str) -> list[str]:
        """Return the unfinished tasks for which a task waits."""
        tables, record = self._tables, self._tables.tasks[id]
        if record.phase is not Phase.WAITING:
            return []
        use = tables.keys.get(id)
        awaited = [use.behind] if use is not None and use.behind is not None else []
        if record.waits is not None:
            awaited += self._members(record.waits) if record.barrier else [record.waits]
        return [each for each in awaited if each in tables.tasks]

    def _members(self, group: str) -> list[str]:
        """Return the unfinished tasks in a group, and in the groups in it."""
        groups = [group]
        for each in groups:  # it grows
            groups += [s.group.id for s in self._tables.groups.values() if s.group.outer == each]
        return [
            id
            for id, record in self._tables.tasks.items()
            if record.group in groups and not record.phase.final
        ]
