"""What can be changed of a worker while it works: its code, slots, queues and time limits."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker, Listener
from ..exceptions import LiteqError
from ..pools import Pool
from ..support.wakeup import Wakeup
from .autoscale import Load, Scale, next_size, note_use
from .batching import Batching
from .definitions import Definitions
from .heartbeat import Heartbeat
from .plan import Plan
from .shutdown import Shutdown
from .task_log import logger
from .timelimits import Ordered, with_limits
from .watchdog import Watchdog


class Adjustable(ABC):
    """The part of a supervisor that has these changes.

    All but `renew` and `redefine` are for the thread of the loop.
    """

    broker: Broker
    pool: Pool
    plan: Plan
    worker: int
    _batching: Batching
    _listener: Listener
    _heartbeat: Heartbeat
    _shutdown: Shutdown
    _store: StoreBackoff
    _watchdog: Watchdog
    _wakeup: Wakeup

    def __init__(self) -> None:
        self._may_claim = True  # there may be something to claim
        self._renewing = False
        self._redefined: Definitions | None = None
        self._hard: dict[str, float | None] = {}  # time limits that were ordered, by task
        self._soft: dict[str, float | None] = {}
        self.scale: Scale | None = None  # None: the pool is not scaled by its load
        self._used: list[float] = []  # see autoscale.py
        self._since = time.monotonic()

    @abstractmethod
    def stop(self, *, force: bool = False, why: str = "") -> None:
        """Stop when what runs is done; with `force`, at once. From any thread or signal handler.

        `why`: what asked for it, for the log.
        """

    @property
    def uptime(self) -> float:
        """Return for how many seconds it has been there."""
        return time.monotonic() - self._since

    @property
    def totals(self) -> Mapping[str, int]:
        """Return how many runs of each task have ended here, by its name."""
        return self._batching.totals

    # code

    def renew(self) -> None:
        """Load the application's code anew, slot by slot. From any thread or signal handler."""
        self._renewing = True
        self._wakeup.set()

    def redefine(self, definitions: Definitions) -> None:
        """Serve the tasks that this process defines by now. From any thread."""
        self._redefined = definitions
        self._wakeup.set()

    def _load_new_code(self) -> None:
        """Do what `renew` and `redefine` have asked for."""
        if self._renewing:
            self._renewing = False
            if self.pool.renew():
                logger.info("loading new code")
            else:
                logger.warning("this pool cannot load new code: restart the worker")
        if self._redefined is not None:
            definitions, self._redefined = self._redefined, None
            self._define(definitions)

    def _code_renewed(self, description: Any) -> None:
        try:
            definitions = Definitions.of_plain(description)
        except (AttributeError, TypeError):  # each child process imports the code itself
            logger.warning(
                "child processes load the new code when they start; what the worker itself knows "
                "of tasks, as their time limits and acks_late, stays until it is restarted"
            )
            return
        self._define(definitions)

    def _define(self, definitions: Definitions) -> None:
        before = self.plan.definitions
        self.plan = self.plan.with_definitions(definitions)
        self._may_claim = True  # what was left before
        if not self._store.attempt("beat", self._heartbeat.beat):
            self._heartbeat.hurry()
        self._watchdog.set_limits(with_limits(self.plan.limits, self._hard))
        logger.info("new code loaded: %s", self.plan.definitions.changes(before))

    # slots

    @property
    def size(self) -> int:
        """Return the number of slots, without those that leave."""
        return sum(not slot.leaving for slot in self.pool.slots)

    @property
    def most_slots(self) -> int:
        """Return how many tasks may run at once before the store is told of other slots."""
        return max(len(self.pool.slots), 0 if self.scale is None else self.scale.most)

    def resize(self, size: int) -> None:
        """Have `size` slots. Raises LiteqError when the pool cannot have so many."""
        if self._shutdown.requested:
            raise LiteqError("the worker is stopping")
        self.pool.resize(size)
        self._show(concurrency=size)
        self._may_claim = True

    def scale_pool(self, scale: Scale) -> None:
        """Have as many slots as the load asks for. Raises LiteqError as `resize` does."""
        self.resize(min(max(self.size, scale.least), scale.most))
        self.scale = scale

    def _rescale(self) -> None:
        """Add or take away a slot, if the load asks for it. Raises BrokerError."""
        if self.scale is None or self._shutdown.requested:
            return
        size = self.size
        busy = sum(bool(slot.holding) for slot in self.pool.slots if not slot.leaving)
        since = self.broker.oldest(self.plan.queues) if busy >= size else None
        load = Load(size, busy, None if since is None else self.broker.clock() - since)
        now = time.monotonic()
        self._used = note_use(self._used, load, now)
        wanted = next_size(self.scale, load, self._used, now)
        if wanted != size:
            logger.info("scaling from %d to %d slots", size, wanted)
            self.resize(wanted)

    # queues

    def serve_queues(self, queues: tuple[str, ...]) -> None:
        """Claim from these queues from now on."""
        left = set(self.plan.queues).difference(queues)
        self.plan = self.plan._replace(queues=queues)
        self._show(queues=queues)
        if left:
            self._listener.decline()  # others are to be woken for what is in there
        self._may_claim = True

    # time limits

    def limit_task(self, name: str, soft: float | None, hard: float | None) -> None:
        """Give a task these limits, in seconds, until the worker ends; None: that of the settings.

        Raises LiteqError for a hard one that the pool cannot enforce.
        """
        if hard is not None and not self.pool.kills:
            raise LiteqError(
                "this pool cannot end a running task, so there are no hard time limits: give a "
                "soft one, or use the pool 'processes'"
            )
        self._soft[name], self._hard[name] = soft, hard
        self.pool.outgoing = Ordered(self._soft).wrap
        self._watchdog.set_limits(with_limits(self.plan.limits, self._hard))

    def _show(self, **facts: object) -> None:
        """Change what the store shows of this worker."""
        self.plan = self.plan._replace(info={**self.plan.info, **facts})
        self._heartbeat.hurry()
