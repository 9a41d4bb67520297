"""What tasks print and log, on its way into the store."""

from collections.abc import Iterable

from ..model.message import Delivery, Receipt
from ..pools.output import OutputUpdate


class OutputReports:
    """Output that is still to be written: of each run the last lines, however long that takes."""

    def __init__(self) -> None:
        self._by_claim: dict[Receipt, OutputUpdate] = {}

    def __bool__(self) -> bool:
        return bool(self._by_claim)

    def add(self, updates: Iterable[OutputUpdate]) -> None:
        """Add `updates`, each behind an earlier one of its run."""
        for update in updates:
            receipt = update.delivery.receipt
            earlier = self._by_claim.get(receipt)
            joined = earlier.output.followed_by(update.output) if earlier else update.output
            self._by_claim[receipt] = update._replace(output=joined)

    def take_of(self, deliveries: Iterable[Delivery]) -> list[OutputUpdate]:
        """Take what these have printed."""
        found = [self._by_claim.pop(each.receipt, None) for each in deliveries]
        return [each for each in found if each is not None]

    def take(self) -> list[OutputUpdate]:
        """Take all."""
        updates = list(self._by_claim.values())
        self._by_claim.clear()
        return updates
