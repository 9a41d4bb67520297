"""The protocol between a supervisor and its child processes: what the frames on a stream say."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from ..exceptions import BrokerRefused
from ..model.message import Delivery
from ..support.slots import current_slot
from .base import CLAIM_LOST, KEPT
from .scoreboard import Handle

# Supervisor to child; the last one only where many tasks run in a loop
RUN, DRAIN, ANSWER, END = 0, 1, 2, 3
# Child to supervisor; the last two likewise
READY, OUTCOMES, RETURNED, STATE, START_FAILED, RECORD, STEP, AT_LIMIT, BLOCKED = range(9)


class Setup(TypedDict):
    """The setup of a fork server or a child, as JSON: a RunnerSpec, and the scoreboard."""

    preload: str
    make: str
    spec: dict[str, Any]
    limits: Sequence[int | None]
    scoreboard: Handle
    log_levels: Mapping[str, int] | None
    slot: NotRequired[int]  # of a child that is a fresh interpreter
    loop_slots: NotRequired[int]  # that a pool may have whose children have a loop, with many each


Item = tuple[int, tuple[Any, ...]]


def to_item(ticket: int, delivery: Delivery) -> Item:
    """Return a ticket and its delivery as a plain tuple, for the stream."""
    if delivery.inputs is not None or delivery.place is not None:
        # Its place is the supervisor's business.
        delivery = delivery._replace(inputs=_plain(delivery.inputs), place=None)
    return ticket, tuple(delivery)


def from_item(fields: tuple[Any, ...]) -> Delivery:
    """Return the delivery of an item."""
    return tuple.__new__(Delivery, fields)


def _plain(inputs: Any) -> Any:
    """Return `inputs` as plain lists and tuples: marshal knows no subclasses."""
    if isinstance(inputs, list):
        return [_plain(each) for each in inputs]
    return inputs if inputs is None else tuple(inputs)


class Teller(ABC):
    """A child process, as what it tells its supervisor."""

    @abstractmethod
    def _send(self, value: Any) -> None:
        """Send one frame."""

    def send_state(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        """Send a state that a running task sets."""
        self._send((STATE, (id, state, meta, serializer)))

    def send_record(self, values: tuple[Any, ...]) -> None:
        """Send a log record for the supervisor's loggers."""
        self._send((RECORD, (values, current_slot())))

    def send_start_failure(self, text: str) -> None:
        """Send the traceback of the error for which this child cannot start."""
        self._send((START_FAILED, text))

    @abstractmethod
    def means(self) -> tuple[Any, ...]:
        """Return the functions of this child that those get which make what it `serve`s."""

    @abstractmethod
    def serve(self, run: Any) -> None:
        """Run deliveries until a limit is reached, or the supervisor drains this child.

        The process exits when the supervisor closes its end of the stream.
        """

    def close(self) -> None:
        """Leave the stream alone from now on."""


def is_kept(answer: str) -> bool:
    """Return whether a step is stored, by the answer; False if its claim was lost.

    Raises BrokerRefused if the store cannot hold it.
    """
    if answer not in (KEPT, CLAIM_LOST):
        raise BrokerRefused(answer)
    return answer == KEPT
