"""What tasks print and log, on its way into the store."""

from collections.abc import Iterable

from ..model.message import Delivery, Receipt
from ..pools.output import OutputUpdate


class OutputReports:
    """Output that is still to be written: of each run the last lines, however long that takes."""

    def __init__(self) -> None:
        self.by_claim: dict[Receipt, list[OutputUpdate]] = {}

    def add(self, updates: Iterable[OutputUpdate]) -> None:
        """Add `updates`, each behind those of its run; what that does not keep is dropped."""
        for update in updates:
            run = self.by_claim.setdefault(update.delivery.receipt, [])
            begins = run[0].output.begins if run else update.output.begins
            run[:] = [each for each in run if each.output.last >= update.output.keep_from]
            run.append(update)
            run[0] = run[0]._replace(output=run[0].output._replace(begins=begins))

    def take_of(self, deliveries: Iterable[Delivery]) -> list[OutputUpdate]:
        """Take what these have printed."""
        return [each for d in deliveries for each in self.by_claim.pop(d.receipt, ())]

    def take(self) -> list[OutputUpdate]:
        """Take all."""
        updates = [each for run in self.by_claim.values() for each in run]
        self.by_claim.clear()
        return updates
