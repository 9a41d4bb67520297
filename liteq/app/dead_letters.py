"""Tasks that were set aside as dead: `app.dead_letters`."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..model.message import Record
from ..model.search import Search
from ..result import AsyncResult
from ..result.app import App
from ..states import Phase

_ALL = 1 << 62


class DeadLetters:
    """The dead tasks of `app`, to be looked at, tried again or dropped.

    A task is dead when it has cost too many processes, has used up its retries, or has a name
    that no worker knows.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __iter__(self) -> Iterator[AsyncResult[Any]]:
        """Iterate over their results, oldest first."""
        return (self._app.AsyncResult(record.message.id) for record in self.records())

    def __len__(self) -> int:
        counts = self._app.broker.counts()
        return sum(each.tasks for each in counts if each.phase is Phase.DEAD)

    def records(self, limit: int = _ALL, *, task: str | None = None) -> list[Record]:
        """Return the records of up to `limit` of them, oldest first; with `task`, of that name."""
        return self._app.broker.listing([Phase.DEAD], limit, Search(task=task))

    def retry(self, ids: Iterable[Any] | None = None) -> list[str]:
        """Make them ready again, with all their retries; return their ids.

        `ids`: ids or results; all dead tasks unless given. Tasks that failed otherwise, were
        revoked or have expired can be named as well.
        """
        names = self._dead() if ids is None else [str(id) for id in ids]
        return self._app.broker.revive(names)

    def purge(self, ids: Iterable[Any] | None = None) -> int:
        """Delete them, all or those of `ids`; return how many there were."""
        dead = self._dead()
        wanted = set(dead) if ids is None else {str(id) for id in ids}
        return self._app.broker.forget([id for id in dead if id in wanted])

    def _dead(self) -> list[str]:
        return [record.message.id for record in self.records()]
