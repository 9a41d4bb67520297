"""Share what the verbs need: running scripts, and what claims and settlements reply."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet

from ...exceptions import BrokerError
from ...model.message import Delivery, Receipt
from ...model.outcome import Settlement
from ...serializers.signed import Signer
from ...support.clock import Clock, system_clock
from ..base import Claim, Settled
from ..transfer import Movable
from . import output
from .arguments import Arguments, chunks, claim_args, settlement_args
from .clock import ServerClock
from .deliveries import log_unusable, sort_out
from .indexes import ids_in
from .inputs import read_group
from .listeners import ChannelListener, ResultListeners
from .location import RedisLocation
from .registry import WorkerRegistry
from .replies import Stored, stored_or_error
from .server import Server
from .signing import UNSIGNED, Signed, Signing
from .wrongkeys import OverwrittenQueues


class RedisStore(Movable):
    """A store on a Redis server, as the verbs use it."""

    def __init__(self, location: RedisLocation, clock: Clock) -> None:
        self.location = location
        self.url: str = location.url
        self.server: Server = Server(location)
        # Users' times are the server's, unless a test hands in a clock of its own.
        self.clock: Clock = ServerClock(self.server) if clock is system_clock else clock
        self._signing: Signing = UNSIGNED
        self._registry = WorkerRegistry(self.server)
        self._work_listeners: WeakSet[ChannelListener] = WeakSet()
        self._results = ResultListeners(self.server, f"{location.prefix}:news:results")
        self._claiming_locks: dict[int, threading.Lock] = {}  # by worker
        self._last_tokens: dict[int, int] = {}  # by worker: the last token that has reached us
        self._unconfirmed: set[Receipt] = set()  # settled, but no reply came
        self._overwritten = OverwrittenQueues(self.url)

    @property
    def address(self) -> str:
        return self.location.address

    def sign(self, key: str | bytes) -> None:
        self._signing = Signed(Signer(key), self.location.identity)
        self.trusted = True

    def _run(self, verb: str, *args: Any) -> Any:
        """Run the script of `verb` and return its reply. Raises BrokerError."""
        return self.server.run(verb, self.clock(), *args)

    def _claiming(self, worker: int) -> threading.Lock:
        """Return the lock that is held while a worker claims: the next claim tells the server what
        the last one has brought."""
        return self._claiming_locks.setdefault(worker, threading.Lock())

    def _claim_args(self, claim: Claim) -> Arguments:
        return claim_args(claim, self._last_tokens.get(claim.worker, 0))

    def _deliveries(self, claim: Claim, replies: list[Any]) -> list[Delivery]:
        """Return what was claimed. What cannot be read, or is not genuine, is set aside."""
        claimed, others = self._take(claim, replies)
        while others and len(claimed) < claim.limit:
            # Behind what was set aside others may be ready.
            more = claim._replace(limit=claim.limit - len(claimed))
            try:
                found, others = self._take(more, self._run("claim", *self._claim_args(more)))
            except BrokerError:
                if not claimed:
                    raise
                break  # what it has claimed is handed out again, by the next claim
            claimed += found
        return claimed

    def _take(self, claim: Claim, replies: list[Any]) -> tuple[list[Delivery], bool]:
        """Return the deliveries that can be run, and whether others were set aside."""
        if not replies:
            return [], False
        read = partial(read_group, self.server, self.clock)
        good, bad = sort_out(replies, self._signing, self.clock, read)
        if bad:
            self.settle(bad)
        # Only now: until it is noted that they have reached us, they are handed out again.
        self._last_tokens[claim.worker] = max(int(token) for _, token, *_ in replies)
        return good, bool(bad)

    def _settle_args(self, settlements: Sequence[Settlement]) -> Arguments:
        args: Arguments = [len(settlements)]
        for settlement in settlements:
            again = settlement.receipt in self._unconfirmed
            if settlement.output is not None:
                args += output.settlement_args(settlement, self._signing, again=again)
                continue
            args += settlement_args(self._signing.sign_settlement(settlement), again=again)
        return args

    def _settled(
        self, settlements: Sequence[Settlement], claim: Claim | None, reply: Callable[[], Any]
    ) -> Settled:
        """Return what the script replied to settlements and a claim."""
        receipts = {settlement.receipt for settlement in settlements}
        try:
            refused, replies, unusable, overwritten = reply()
            claimed = []
            if claim is not None:
                self._overwritten.note(overwritten, self.server.find_wrong_keys)
                claimed = self._deliveries(claim, replies)
        except BaseException:
            # Perhaps it was written, and only the reply, or what was claimed, could not be read.
            self._unconfirmed |= receipts
            raise
        self._unconfirmed -= receipts
        log_unusable(settlements[n].receipt for n in unusable)
        return Settled([settlements[n].receipt for n in refused], claimed)

    def _stored(self, ids: Sequence[str]) -> list[Stored | None]:
        """Return tasks as they are stored: not verified."""
        found: list[Stored | None] = []
        for part in chunks(ids):
            found += map(stored_or_error, part, self._run("fetch", *part))
        return found

    def _sorted_ids(self, key: str, id: str) -> list[str]:
        return ids_in(self.server, f"{self.location.prefix}:{key}:{id}")

    def _queues(self) -> list[str]:
        return [count.queue for count in self.counts()]
