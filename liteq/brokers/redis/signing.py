"""Signatures over what is stored, for servers that others can write to.

Messages, results and the messages of periodic tasks are signed on their way to the server, and
verified on their way back. What is signed says what it is, in which store, and whose: so nothing
that is signed can stand for anything else. docs/guides/serializers.md lists what is covered.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

from ...exceptions import SecurityError
from ...execution.failure import encode_failure
from ...model.graph import ALONE, Graph, Place
from ...model.message import Member, Message, Record
from ...model.outcome import Settlement
from ...model.step import Event, Step, StepKind
from ...serializers.json import SERIALIZER as JSON
from ...serializers.signed import Signer, Subject
from ...states import Phase


class End(NamedTuple):
    """Identify the task that a result is of, and how it ended, or the state that it reported."""

    id: str
    phase: Phase
    reported: str | None
    serializer: str | None
    group: str | None = None  # that the task is a member of
    position: int = 0

    @property
    def kind(self) -> str:
        """Return what the result is.

        A task that was revoked may keep the report, or the reason of a retry, that it had.
        """
        if self.phase is Phase.SUCCEEDED:
            return "value" if self.reported is None else "ignored"
        return "error" if self.reported is None else "report"


class Signing(ABC):
    """Conversion between the values of the port and what is stored of them."""

    shares_options = True
    """Tell whether options that all members of a group have are stored with the group alone."""

    @abstractmethod
    def sign_message(self, message: Message, place: Place = ALONE) -> Message:
        """Return `message` as it is stored; `place`: where it stands in its workflow."""

    @abstractmethod
    def verify_message(self, message: Message, place: Place = ALONE) -> Message:
        """Return a stored message as it was sent. Raises SecurityError."""

    @abstractmethod
    def verify_member(self, member: Member | None) -> Member | None:
        """Return a member of a group, whose message was verified in its place, without what is not
        signed."""

    @abstractmethod
    def sign_scheduled(self, message: Message, *entry: str | bool) -> Message:
        """Return the message of a periodic task as it is stored.

        `entry`: what else the entry has that no script changes, its name first.
        """

    @abstractmethod
    def verify_scheduled(self, message: Message, *entry: str | bool) -> Message:
        """Return the stored message of a periodic task as it was sent. Raises SecurityError."""

    @abstractmethod
    def sign_result(self, data: bytes | None, end: End, *, tied: bool = False) -> bytes | None:
        """Return a result, or the meta of a state, as it is stored.

        Of a `tied` task also that there is none, as the tasks that wait for it then take None.
        """

    @abstractmethod
    def verify_result(self, data: bytes | None, end: End) -> bytes | None:
        """Return a stored result as it was written. Raises SecurityError."""

    @abstractmethod
    def sign_step(self, id: str, step: Step) -> Step:
        """Return a step of the task `id` as it is stored. The value of a WAIT is that of an event.

        When a sleep or a wait is over is not signed, as etas are not.
        """

    @abstractmethod
    def verify_step(self, id: str, step: Step) -> Step:
        """Return a stored step as it was written. Raises SecurityError."""

    @abstractmethod
    def sign_event(self, event: Event) -> Event:
        """Return an event as it is stored."""

    @abstractmethod
    def verify_event(self, event: Event) -> Event:
        """Return a stored event as it was emitted. Raises SecurityError."""

    @abstractmethod
    def sign_output(self, id: str, data: bytes) -> bytes:
        """Return lines that the task `id` has printed as they are stored.

        That none of them is missing is not signed.
        """

    @abstractmethod
    def verify_output(self, id: str, data: bytes) -> bytes:
        """Return stored lines of a task as they were written. Raises SecurityError."""

    @abstractmethod
    def sign_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        """Return an order to a worker, or its answer (`kind`: which of them), as it is stored."""

    @abstractmethod
    def verify_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        """Return a stored order or answer as it was given. Raises SecurityError."""

    @abstractmethod
    def require(self, fits: bool, why: str) -> None:
        """Raise SecurityError with `why` unless it `fits`."""

    def verify_record(self, record: Record, place: Place) -> Record:
        """Return a stored record as it was written. Raises SecurityError."""
        message = self.verify_message(record.message, place)
        result = self.verify_result(record.result, end_of(record))
        return record._replace(message=message, result=result)

    def record_or_error(self, record: Record, place: Place) -> Record:
        """Return a stored record as it was written; if it is not genuine, with an error in it."""
        try:
            return self.verify_record(record, place)
        except SecurityError as exc:
            return _with_error(record, exc)

    def sign_graph(self, graph: Graph) -> Graph:
        """Return a workflow as it is stored."""
        graph = graph.with_own_options()
        messages = tuple(map(self.sign_message, graph.messages, graph.places))
        return graph._replace(messages=messages)

    def sign_settlement(self, settlement: Settlement) -> Settlement:
        """Return a settlement as it is stored."""
        signed, place = settlement, settlement.old_place or ALONE
        outcome = (signed.phase, signed.reported, signed.result_serializer)
        end = End(str(signed.receipt.key), *outcome, place.group, place.position)
        signed = signed._replace(result=self.sign_result(signed.result, end, tied=signed.tied))
        if signed.graph is not None:
            signed = signed._replace(graph=self.sign_graph(signed.graph))
            place = place.replaced(signed.place or ALONE)
        if signed.steps:
            id = str(signed.receipt.key)
            signed = signed._replace(steps=tuple(self.sign_step(id, s) for s in signed.steps))
        if signed.retry is not None:
            signed = signed._replace(retry=self.sign_message(signed.retry, place))
        return signed


class Unsigned(Signing):
    """No signatures: what is stored is plain data, which runs no code when it is decoded."""

    def sign_message(self, message: Message, place: Place = ALONE) -> Message:
        return message

    def verify_message(self, message: Message, place: Place = ALONE) -> Message:
        return message

    def verify_member(self, member: Member | None) -> Member | None:
        return member

    def sign_scheduled(self, message: Message, *entry: str | bool) -> Message:
        return message

    def verify_scheduled(self, message: Message, *entry: str | bool) -> Message:
        return message

    def sign_result(self, data: bytes | None, end: End, *, tied: bool = False) -> bytes | None:
        return data

    def verify_result(self, data: bytes | None, end: End) -> bytes | None:
        return data

    def sign_step(self, id: str, step: Step) -> Step:
        return step

    def verify_step(self, id: str, step: Step) -> Step:
        return step

    def sign_event(self, event: Event) -> Event:
        return event

    def verify_event(self, event: Event) -> Event:
        return event

    def sign_output(self, id: str, data: bytes) -> bytes:
        return data

    def verify_output(self, id: str, data: bytes) -> bytes:
        return data

    def sign_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        return data

    def verify_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        return data

    def require(self, fits: bool, why: str) -> None:
        """Accept anything."""

    def verify_record(self, record: Record, place: Place) -> Record:
        return record

    def sign_graph(self, graph: Graph) -> Graph:
        return graph

    def sign_settlement(self, settlement: Settlement) -> Settlement:
        return settlement


UNSIGNED = Unsigned()


class Signed(Signing):
    """Signatures over payloads and results; `store` is what all signatures call the store.

    Options are signed with the message that has them, so the members of a group have their own.
    """

    shares_options = False

    def __init__(self, signer: Signer, store: str) -> None:
        self._signer = signer
        self._store = store

    def sign_message(self, message: Message, place: Place = ALONE) -> Message:
        subject = self._message_subject(message, place)
        return message._replace(payload=self._signer.sign(message.payload, subject))

    def verify_message(self, message: Message, place: Place = ALONE) -> Message:
        subject = self._message_subject(message, place)
        return message._replace(payload=self._signer.verified(message.payload, subject))

    def verify_member(self, member: Member | None) -> Member | None:
        return member and (member[0], member[1], None)

    def sign_scheduled(self, message: Message, *entry: str | bool) -> Message:
        subject = self._entry_subject(message, entry)
        return message._replace(payload=self._signer.sign(message.payload, subject))

    def verify_scheduled(self, message: Message, *entry: str | bool) -> Message:
        subject = self._entry_subject(message, entry)
        return message._replace(payload=self._signer.verified(message.payload, subject))

    def sign_result(self, data: bytes | None, end: End, *, tied: bool = False) -> bytes | None:
        if data is None and not (tied and end.phase is Phase.SUCCEEDED):
            return None
        return self._signer.sign(data or b"", self._result_subject(end))

    def verify_result(self, data: bytes | None, end: End) -> bytes | None:
        if data is None:
            return None
        result = self._signer.verified(data, self._result_subject(end))
        return None if end.serializer is None else result

    def sign_step(self, id: str, step: Step) -> Step:
        if step.value is None:
            return step
        return step._replace(value=self._signer.sign(step.value, self._step_subject(id, step)))

    def verify_step(self, id: str, step: Step) -> Step:
        if step.value is None:
            # A step that calls a function has a value; so nobody can say that it was called.
            unfinished = step.serializer is None and step.kind in (StepKind.SLEEP, StepKind.WAIT)
            self.require(unfinished, f"the step {step.name!r} has no value")
            return step
        return step._replace(value=self._signer.verified(step.value, self._step_subject(id, step)))

    def sign_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        return self._signer.sign(data, (kind, self._store, call, worker))

    def verify_control(self, data: bytes, kind: str, call: str, worker: int) -> bytes:
        return self._signer.verified(data, (kind, self._store, call, worker))

    def sign_event(self, event: Event) -> Event:
        subject = self._event_subject(event.key, event.serializer)
        return event._replace(value=self._signer.sign(event.value, subject))

    def verify_event(self, event: Event) -> Event:
        subject = self._event_subject(event.key, event.serializer)
        return event._replace(value=self._signer.verified(event.value, subject))

    def sign_output(self, id: str, data: bytes) -> bytes:
        return self._signer.sign(data, ("output", self._store, id))

    def verify_output(self, id: str, data: bytes) -> bytes:
        return self._signer.verified(data, ("output", self._store, id))

    def require(self, fits: bool, why: str) -> None:
        if not fits:
            raise SecurityError(why)

    def _message_subject(self, message: Message, place: Place) -> Subject:
        subject = ("message", self._store, message.id, *_call(message))
        if place.waits is None and place.group is None:
            return subject
        after = (place.waits, place.barrier, place.on_failure, place.takes)
        return (*subject, *after, *_membership(place.group, place.position))

    def _step_subject(self, id: str, step: Step) -> Subject:
        if step.kind == StepKind.WAIT:
            return self._event_subject(step.name, step.serializer)
        return ("step", self._store, id, step.name, str(step.kind), step.serializer, step.failed)

    def _event_subject(self, key: str, serializer: str | None) -> Subject:
        return ("event", self._store, key, serializer)

    def _entry_subject(self, message: Message, entry: Subject) -> Subject:
        return ("schedule", self._store, *entry, *_call(message))

    def _result_subject(self, end: End) -> Subject:
        subject = (end.kind, self._store, end.id, end.serializer, end.reported)
        # A report comes with no more of the task than its id.
        return subject if end.kind == "report" else subject + _membership(end.group, end.position)


def _call(message: Message) -> Subject:
    """Return what of a message is signed beside its id and payload.

    That is all but when it runs (eta, expires, retries), before which others (priority), and
    whether its value and its start are stored (`ignore_result`, `track_started`).
    """
    _, task, _, serializer, queue, *_, late, _, _, options = message
    return task, queue, serializer, bool(late), options  # a file has 1 for True


def end_of(record: Record) -> End:
    """Return what the result in a record belongs to."""
    outcome = (record.phase, record.reported, record.result_serializer)
    return End(record.message.id, *outcome, record.group, record.position)


def _membership(group: str | None, position: int) -> Subject:
    # A position is stored only of the members of a group.
    return () if group is None else (group, position)


def _with_error(record: Record, exc: SecurityError) -> Record:
    why = f"the stored task {record.message.task} failed the check of its signature: {exc}"
    message = record.message._replace(payload=b"[[],{}]", serializer=JSON.name)
    final = record.phase.final
    return record._replace(
        message=message,
        phase=Phase.FAILED if record.phase is Phase.SUCCEEDED else record.phase,
        result=encode_failure(SecurityError(why), JSON) if final else None,
        result_serializer=JSON.name if final else None,
        traceback=why,
    )
