"""Writing what becomes of tasks, and claiming the next ones in the same transaction."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker, Claim, ReadSettled, Settled
from ..exceptions import BrokerError, BrokerRefused
from ..model.message import Delivery, Receipt
from ..model.outcome import Settlement
from ..pools.output import OutputUpdate
from .decide import decide_output
from .output_reports import OutputReports
from .step_requests import StepRequests
from .task_log import logger

ReplaceRefused = Callable[[Settlement, BrokerRefused], Settlement]
"""Returns what is written in place of a settlement that the store refuses for good."""


class Written(NamedTuple):
    """What was written, and what was claimed with it (None: that is not known)."""

    settlements: list[Settlement]
    claim: Claim | None
    claimed: list[Delivery] | None

    @property
    def may_claim_more(self) -> bool:
        """Return whether there may be something to claim that was not claimed."""
        if any(each.retry is not None for each in self.settlements):
            return True  # some of them may be ready again
        if self.claim is None:
            return False
        return self.claimed is None or len(self.claimed) >= self.claim.limit


class _Pending(NamedTuple):
    """What was sent to the store, and no reply to it was read yet."""

    read: ReadSettled
    settlements: list[Settlement]
    claim: Claim | None


class Writer:
    """Writes settlements to `broker`. What cannot be written now is kept, and written later.

    One transaction may be on its way while the worker does other things, so all are in order.
    """

    def __init__(
        self,
        broker: Broker,
        store: StoreBackoff,
        steps: StepRequests,
        replace_refused: ReplaceRefused,
    ) -> None:
        self._broker = broker
        self._store = store
        self._steps = steps
        self._replace_refused = replace_refused
        self.settlements: list[Settlement] = []  # still to be written
        self._ended: list[Delivery] = []  # the tasks of all settlements that are not written
        self._pending: _Pending | None = None
        self.outputs = OutputReports()  # written before the ends of their tasks

    @property
    def pending(self) -> bool:
        """Return whether something was sent of which the reply is to be received."""
        return self._pending is not None

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to write or to receive."""
        return not self.settlements and self._pending is None

    def add(self, settlements: Sequence[Settlement], ended: Sequence[Delivery]) -> None:
        """Add settlements, and the tasks that they are of, in the same order."""
        if self.outputs.by_claim:
            self._add(self.outputs.take_of(ended))
        self.settlements += settlements
        self._ended += ended

    def add_outputs(self) -> None:
        """Add what tasks have printed, also those that go on. Call it while the store works: else
        it would pile up here."""
        if self.outputs.by_claim:
            self._add(self.outputs.take())

    def _add(self, updates: Sequence[OutputUpdate]) -> None:
        now = self._broker.clock()
        self.settlements += [decide_output(*each, now) for each in updates]
        self._ended += [each.delivery for each in updates]

    def id_of(self, receipt: Receipt) -> str:
        """Return the id of a task that has ended, and of which that is not written yet."""
        return next(each.id for each in self._ended if each.receipt == receipt)

    def write(self, claim: Claim | None) -> Written:
        """Write all settlements, and claim."""
        settlements = self.settlements
        return self._written(settlements, claim, lambda: self._broker.settle(settlements, claim))

    def start(self, claim: Claim | None) -> bool:
        """Send all settlements and `claim`, and leave it to `receive` to wait for the reply.

        Return False where that saves nothing; then nothing was sent.
        """
        read = self._broker.start_settle(self.settlements, claim)
        if read is None:
            return False
        self._pending = _Pending(read, self.settlements, claim)
        self.settlements = []
        return True

    def receive(self) -> Written | None:
        """Return what was sent by `start`, once the reply is there; None if nothing was."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        self.settlements = pending.settlements + self.settlements  # until they are written
        return self._written(pending.settlements, pending.claim, pending.read)

    def close(self) -> list[Delivery]:
        """Write all that is left; return what was claimed by what was on its way.

        Raises BrokerError.
        """
        received = self.receive()
        self.add_outputs()
        if settlements := self.settlements:
            self._settle(settlements, None, lambda: self._broker.settle(settlements))
        return (received and received.claimed) or []

    def _written(
        self, settlements: list[Settlement], claim: Claim | None, settle: ReadSettled
    ) -> Written:
        try:
            written = self._settle(settlements, claim, settle)
        except BrokerError as exc:
            self._store.failed("write", exc)
            return Written([], claim, None)
        self._store.succeeded("write")
        return written

    def _settle(
        self, settlements: list[Settlement], claim: Claim | None, settle: ReadSettled
    ) -> Written:
        """Write `settlements`, which are the first ones here, by `settle`. Raises BrokerError."""
        try:
            settled = settle()
        except BrokerRefused:  # rare, so only now it is worth finding out which one
            for _ in settlements:
                self._settle_first()
            return Written(settlements, claim, None)
        self._note(settlements, settled)
        self._drop_first(len(settlements))
        return Written(settlements, claim, settled.claimed)

    def _settle_first(self) -> None:
        """Settle the first one alone: a task whose outcome is refused for good has failed by it."""
        settlement = self.settlements[0]
        try:
            self._settle_one(settlement)
        except BrokerRefused as exc:
            if settlement.output is None and not self._steps.refuse(settlement, exc):
                with suppress(BrokerRefused):  # then nothing can be written of this task
                    self._settle_one(self._replace_refused(settlement, exc))
        self._drop_first(1)

    def _drop_first(self, number: int) -> None:
        self.settlements, self._ended = self.settlements[number:], self._ended[number:]

    def _settle_one(self, settlement: Settlement) -> None:
        self._note([settlement], self._broker.settle([settlement]))

    def _note(self, settlements: list[Settlement], settled: Settled) -> None:
        if self._steps:
            self._steps.answer(settlements, settled.refused)
        if settled.refused:
            ended = {each.receipt for each in settlements if each.output is None}
            for receipt in filter(ended.__contains__, dict.fromkeys(settled.refused)):
                logger.warning("claim lost; result dropped: task %s", self.id_of(receipt))
