"""The verbs for the care of a store, and its state as `Broker.examine` finds it."""

from typing import Any, NamedTuple

from ..exceptions import ConfigurationError


class Finding(NamedTuple):
    """A fault of a store, or a risk."""

    severity: str  # error: tasks are lost, stuck or at risk; warning: act on it; note: know it
    what: str
    cure: str


class Examination(NamedTuple):
    """The state of a store."""

    facts: dict[str, Any]  # values of JSON
    findings: list[Finding]


class Tended:
    """The verbs of a broker that only some offer; in the others each raises ConfigurationError."""

    url: str

    def examine(self, *, thorough: bool = False) -> Examination:
        """Return the facts and faults (damage, too); change nothing. `thorough` takes longer."""
        raise self._not_offered("be examined")

    def mend(self) -> list[str]:
        """Repair what can be repaired while others use the store; return what was done."""
        raise self._not_offered("be repaired")

    def compact(self) -> None:
        """Give empty space back to the system. All other processes wait meanwhile."""
        raise self._not_offered("be compacted")

    def backup(self, path: str) -> None:
        """Write a copy of the store to the new file `path`, while others use the store.

        Raises ConfigurationError when the file exists, BrokerUnavailable when it cannot be written.
        """
        raise self._not_offered("be copied to a file")

    def _not_offered(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"the store {self.url} cannot {what}")
