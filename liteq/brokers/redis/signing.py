"""Signatures over what is stored, for servers that others can write to.

Messages and results are signed on their way to the server, and verified on their way back.
"""

from abc import ABC, abstractmethod
from typing import Any

from ...exceptions import SecurityError
from ...execution.failure import encode_failure
from ...model.graph import Graph
from ...model.message import Delivery, Input, Message, Record
from ...model.outcome import Settlement
from ...serializers.json import SERIALIZER as JSON
from ...serializers.signed import Signer
from ...states import Phase


class Signing(ABC):
    """Conversion between the values of the port and what is stored of them."""

    @abstractmethod
    def sign_message(self, message: Message) -> Message:
        """Return `message` as it is stored."""

    @abstractmethod
    def sign_result(self, id: str, data: bytes, serializer: str) -> bytes:
        """Return the result of the task `id`, or the meta of its state, as it is stored."""

    @abstractmethod
    def verify_delivery(self, delivery: Delivery) -> Delivery:
        """Return a stored delivery as it was sent. Raises SecurityError."""

    @abstractmethod
    def verify_message(self, message: Message) -> Message:
        """Return a stored message as it was sent. Raises SecurityError."""

    @abstractmethod
    def verify_record(self, record: Record) -> Record:
        """Return a stored record as it was written. Raises SecurityError."""

    def record_or_error(self, record: Record) -> Record:
        """Return a stored record as it was written; if it is not genuine, with an error in it."""
        try:
            return self.verify_record(record)
        except SecurityError as exc:
            return _with_error(record, exc)

    def sign_graph(self, graph: Graph) -> Graph:
        """Return a workflow as it is stored."""
        return graph._replace(messages=tuple(map(self.sign_message, graph.messages)))

    def sign_settlement(self, settlement: Settlement) -> Settlement:
        """Return a settlement as it is stored."""
        signed = settlement
        if signed.result is not None:
            id, serializer = str(signed.receipt.key), signed.result_serializer or ""
            signed = signed._replace(result=self.sign_result(id, signed.result, serializer))
        if signed.retry is not None:
            signed = signed._replace(retry=self.sign_message(signed.retry))
        if signed.graph is not None:
            signed = signed._replace(graph=self.sign_graph(signed.graph))
        return signed


class Unsigned(Signing):
    """No signatures: what is stored is plain data, which runs no code when it is decoded."""

    def sign_message(self, message: Message) -> Message:
        return message

    def sign_result(self, id: str, data: bytes, serializer: str) -> bytes:
        return data

    def verify_delivery(self, delivery: Delivery) -> Delivery:
        return delivery

    def verify_message(self, message: Message) -> Message:
        return message

    def verify_record(self, record: Record) -> Record:
        return record

    def sign_graph(self, graph: Graph) -> Graph:
        return graph

    def sign_settlement(self, settlement: Settlement) -> Settlement:
        return settlement


class Signed(Signing):
    """Signatures over payloads and results."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign_message(self, message: Message) -> Message:
        return message._replace(payload=self._signer.sign(message.payload, *_belonging(message)))

    def sign_result(self, id: str, data: bytes, serializer: str) -> bytes:
        # The id is stored with the result, because an `Input` has a result without a task's id.
        owner = id.encode()
        whole = b"%d:%b%b" % (len(owner), owner, data)
        return self._signer.sign(whole, "result", serializer)

    def verify_delivery(self, delivery: Delivery) -> Delivery:
        message = self.verify_message(delivery.message)
        return delivery._replace(message=message, inputs=self._verify_inputs(delivery.inputs))

    def verify_message(self, message: Message) -> Message:
        payload = self._signer.verified(message.payload, *_belonging(message))
        return message._replace(payload=payload)

    def verify_record(self, record: Record) -> Record:
        message = self.verify_message(record.message)
        result = self._verify_result(record.result, record.result_serializer, record.message.id)
        return record._replace(message=message, result=result)

    def _verify_result(
        self, data: bytes | None, serializer: str | None, id: str | None
    ) -> bytes | None:
        """Return the result in `data`; with `id`, only if it is of that task."""
        if data is None:
            return None
        whole = self._signer.verified(data, "result", serializer or "")
        size, _, rest = whole.partition(b":")
        owner, result = rest[: int(size)], rest[int(size) :]
        if id is not None and owner != id.encode():
            raise SecurityError(f"its result is that of {owner.decode()}")
        return result

    def _verify_inputs(self, inputs: Any) -> Any:
        if isinstance(inputs, list):
            return [self._verify_inputs(each) for each in inputs]
        if not isinstance(inputs, Input):
            return inputs
        message = inputs.message
        if message is not None:
            message = tuple(self.verify_message(Message._make(message)))
        result = self._verify_result(inputs.result, inputs.serializer, None)
        return inputs._replace(result=result, message=message)


def _belonging(message: Message) -> tuple[str, ...]:
    return ("message", message.queue, message.id, message.task, message.serializer)


def _with_error(record: Record, exc: SecurityError) -> Record:
    why = f"the stored task {record.message.task} failed the check of its signature: {exc}"
    message = record.message._replace(payload=b"[[],{}]", serializer=JSON.name)
    final = record.phase.final
    return record._replace(
        message=message,
        phase=Phase.FAILED if final else record.phase,
        result=encode_failure(SecurityError(why), JSON) if final else None,
        result_serializer=JSON.name if final else None,
        traceback=why,
    )
