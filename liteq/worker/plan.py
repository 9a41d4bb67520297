"""The plan of a worker: its settings, worked out."""

from typing import NamedTuple

from ..beat.scheduler import Scheduler
from ..model.outcome import Policy
from ..serializers import Serializer
from .definitions import Definitions
from .timelimits import TimeLimits


class Plan(NamedTuple):
    """The settings of one worker, as its supervisor needs them."""

    name: str
    queues: tuple[str, ...]
    policy: Policy
    info: dict[str, object]  # what `liteq inspect` shows of it
    serializer: Serializer  # of the errors that the supervisor itself has to store
    limits: TimeLimits
    definitions: Definitions = Definitions({})
    grace: float | None = None  # seconds that running tasks get at a warm stop; None: all they need
    scheduler: Scheduler | None = None  # None: others fire the periodic tasks

    def with_definitions(self, definitions: Definitions) -> "Plan":
        """Return the plan for code that was loaded anew."""
        limits = definitions.time_limits(self.limits.default)
        return self._replace(
            info={**self.info, **definitions.info()}, definitions=definitions, limits=limits
        )
