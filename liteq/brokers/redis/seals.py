"""What is signed on its way to the server, and verified on its way back."""

from abc import ABC, abstractmethod
from typing import Any

from ...exceptions import SecurityError
from ...execution.failure import encode_failure
from ...model.graph import Graph
from ...model.message import Delivery, Input, Message, Record
from ...model.outcome import Policy, Settlement
from ...serializers.json import SERIALIZER as JSON
from ...serializers.signed import Signer
from ...states import Phase


class Seal(ABC):
    """Between the values of the port and what others could have written."""

    @abstractmethod
    def message(self, message: Message) -> Message:
        """A message as it is stored."""

    @abstractmethod
    def result(self, id: str, data: bytes, serializer: str) -> bytes:
        """What the task `id` came to, or tells of itself, as it is stored."""

    @abstractmethod
    def opened(self, delivery: Delivery) -> Delivery:
        """A delivery as it was sent. Raises SecurityError."""

    @abstractmethod
    def opened_message(self, message: Message) -> Message:
        """A message as it was written. Raises SecurityError."""

    @abstractmethod
    def opened_record(self, record: Record) -> Record:
        """A record as it was written. Raises SecurityError."""

    def record(self, record: Record) -> Record:
        """A record as it was written; where it was not, an error in place of the result."""
        try:
            return self.opened_record(record)
        except SecurityError as exc:
            return _spoilt(record, exc)

    def graph(self, graph: Graph) -> Graph:
        """A workflow as it is stored."""
        return graph._replace(messages=tuple(map(self.message, graph.messages)))

    def settlement(self, each: Settlement) -> Settlement:
        """A settlement as it is stored."""
        if each.result is not None:
            data = self.result(str(each.receipt.key), each.result, each.result_serializer or "")
            each = each._replace(result=data)
        if each.retry is not None:
            each = each._replace(retry=self.message(each.retry))
        return each if each.graph is None else each._replace(graph=self.graph(each.graph))


class NoSeal(Seal):
    """All is stored as it is: plain data, that runs nothing when it is decoded."""

    def message(self, message: Message) -> Message:
        return message

    def result(self, id: str, data: bytes, serializer: str) -> bytes:
        return data

    def opened(self, delivery: Delivery) -> Delivery:
        return delivery

    def opened_message(self, message: Message) -> Message:
        return message

    def opened_record(self, record: Record) -> Record:
        return record

    def graph(self, graph: Graph) -> Graph:
        return graph

    def settlement(self, each: Settlement) -> Settlement:
        return each


class Signature(Seal):
    """Payloads and results are signed."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def message(self, message: Message) -> Message:
        return message._replace(payload=self._signer.sign(message.payload, *_belonging(message)))

    def result(self, id: str, data: bytes, serializer: str) -> bytes:
        # The id goes along, for those who take the result over without knowing whose it is.
        owner = id.encode()
        whole = b"%d:%b%b" % (len(owner), owner, data)
        return self._signer.sign(whole, "result", serializer)

    def opened(self, delivery: Delivery) -> Delivery:
        message = self.opened_message(delivery.message)
        return delivery._replace(message=message, inputs=self._inputs(delivery.inputs))

    def opened_record(self, record: Record) -> Record:
        message = self.opened_message(record.message)
        result = self._result(record.result, record.result_serializer, record.message.id)
        return record._replace(message=message, result=result)

    def opened_message(self, message: Message) -> Message:
        payload = self._signer.verified(message.payload, *_belonging(message))
        return message._replace(payload=payload)

    def _result(self, data: bytes | None, serializer: str | None, id: str | None) -> bytes | None:
        if data is None:
            return None
        whole = self._signer.verified(data, "result", serializer or "")
        size, _, rest = whole.partition(b":")
        owner, body = rest[: int(size)], rest[int(size) :]
        if id is not None and owner != id.encode():
            raise SecurityError(f"its result is that of {owner.decode()}")
        return body

    def _inputs(self, taken: Any) -> Any:
        if isinstance(taken, list):
            return [self._inputs(each) for each in taken]
        if not isinstance(taken, Input):
            return taken
        message = taken.message
        if message is not None:
            message = tuple(self.opened_message(Message._make(message)))
        result = self._result(taken.result, taken.serializer, None)
        return taken._replace(result=result, message=message)


def set_aside(delivery: Delivery, exc: SecurityError, now: float) -> Settlement:
    """What becomes of a task that somebody else could have written: nothing of it was read."""
    why = f"{delivery.message.task} was not run: {exc}"
    return Settlement(
        delivery.receipt,
        Phase.DEAD,
        now,
        encode_failure(SecurityError(why), JSON),
        JSON.name,
        why,
        Policy().kept_until(Phase.DEAD, now),
        lost=delivery.lost,
        tied=delivery.tied,
    )


def _belonging(message: Message) -> tuple[str, ...]:
    return ("message", message.queue, message.id, message.task, message.serializer)


def _spoilt(record: Record, exc: SecurityError) -> Record:
    why = f"what the store has of {record.message.task} is not to be trusted: {exc}"
    message = record.message._replace(payload=b"[[],{}]", serializer=JSON.name)
    phase = Phase.FAILED if record.phase.final else record.phase
    return record._replace(
        message=message,
        phase=phase,
        result=encode_failure(SecurityError(why), JSON) if record.phase.final else None,
        result_serializer=JSON.name if record.phase.final else None,
        traceback=why,
    )
