"""Writing what becomes of tasks, and claiming the next ones in the same transaction."""

import time
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import NamedTuple

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker, Claim, PendingSettle, Settled
from ..exceptions import BrokerError, BrokerRefused
from ..model.message import Delivery
from ..model.outcome import Settlement
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
    """What was sent to the store, and the reply to it."""

    reply: PendingSettle
    settlements: list[Settlement]
    claim: Claim | None
    fileno: int  # as the selector has it; -1: it could not be sent


class Writer:
    """Writes settlements to `broker`. What cannot be written now is kept, and written later.

    What it sends without waiting for the reply wakes `selector` when that comes. Only one
    transaction is on its way at a time, so all are written in order.
    """

    def __init__(
        self,
        broker: Broker,
        store: StoreBackoff,
        selector: BaseSelector,
        replace_refused: ReplaceRefused,
    ) -> None:
        self._broker = broker
        self._store = store
        self._selector = selector
        self._replace_refused = replace_refused
        self.settlements: list[Settlement] = []  # still to be written
        self._pending: _Pending | None = None
        self._replied = False  # the store, to what is pending

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to write, and no reply to come."""
        return not self.settlements and self._pending is None

    @property
    def deadline(self) -> float | None:
        """Return when no reply will come any more, by `time.monotonic`; None: none is to come."""
        return None if self._pending is None else self._pending.reply.deadline

    def write(self, claim: Claim | None) -> Written:
        """Write all settlements, and claim."""
        settlements = self.settlements
        return self._written(settlements, claim, lambda: self._broker.settle(settlements, claim))

    def start(self, claim: Claim | None) -> bool:
        """Send all settlements and `claim`, and do not wait for the reply: `receive` returns it.

        Return False where that saves nothing; then nothing was sent.
        """
        reply = self._broker.start_settle(self.settlements, claim)
        if reply is None:
            return False
        fileno = reply.fileno()
        self._replied = fileno < 0
        if fileno >= 0:
            self._selector.register(fileno, EVENT_READ, self._note_reply)
        self._pending = _Pending(reply, self.settlements, claim, fileno)
        self.settlements = []
        return True

    def receive(self) -> Written | None:
        """Return what was sent by `start`; None while its reply is still to come."""
        pending = self._pending
        if pending is None or not (self._replied or time.monotonic() >= pending.reply.deadline):
            return None
        return self._receive(pending)

    def close(self) -> list[Delivery]:
        """Write all that is left; return what was claimed by what was on its way.

        Raises BrokerError.
        """
        received = None if self._pending is None else self._receive(self._pending)
        if settlements := self.settlements:
            self._settle(settlements, None, lambda: self._broker.settle(settlements))
        return (received and received.claimed) or []

    def _note_reply(self) -> None:
        self._replied = True

    def _receive(self, pending: _Pending) -> Written:
        self._pending = None
        if pending.fileno >= 0:
            self._selector.unregister(pending.fileno)
        self.settlements = pending.settlements + self.settlements  # until they are written
        return self._written(pending.settlements, pending.claim, pending.reply.settled)

    def _written(
        self, settlements: list[Settlement], claim: Claim | None, settle: Callable[[], Settled]
    ) -> Written:
        try:
            written = self._settle(settlements, claim, settle)
        except BrokerError as exc:
            self._store.failed("write", exc)
            return Written([], claim, None)
        self._store.succeeded("write")
        return written

    def _settle(
        self, settlements: list[Settlement], claim: Claim | None, settle: Callable[[], Settled]
    ) -> Written:
        """Write `settlements`, which are the first ones here, by `settle`. Raises BrokerError."""
        try:
            settled = settle()
        except BrokerRefused:  # rare, so only now it is worth finding out which one
            for _ in settlements:
                self._settle_first()
            return Written(settlements, claim, None)
        self.settlements = self.settlements[len(settlements) :]
        _log_refused(settled)
        return Written(settlements, claim, settled.claimed)

    def _settle_first(self) -> None:
        """Settle the first one alone: a task whose outcome is refused for good has failed by it."""
        settlement = self.settlements[0]
        try:
            _log_refused(self._broker.settle([settlement]))
        except BrokerRefused as exc:
            with suppress(BrokerRefused):  # then nothing can be written of this task
                _log_refused(self._broker.settle([self._replace_refused(settlement, exc)]))
        self.settlements = self.settlements[1:]


def _log_refused(settled: Settled) -> None:
    for receipt in settled.refused:
        logger.warning("claim lost; result dropped: task number %s", receipt.key)
