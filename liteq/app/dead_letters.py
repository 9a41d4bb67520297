"""Tasks that were set aside: `app.dead_letters`."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..model.message import Record
from ..result.app import App
from ..states import Phase

_ALL = 1 << 62


class DeadLetters:
    """The dead tasks of `app`: they cost too many processes, used up their retries, or nobody
    knew their name. They wait here to be looked at, tried again or dropped."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __iter__(self) -> Iterator[Any]:
        """Their results, oldest first."""
        return (self._app.AsyncResult(record.message.id) for record in self.records())

    def __len__(self) -> int:
        counts = self._app.broker.counts()
        return sum(each.tasks for each in counts if each.phase is Phase.DEAD)

    def records(self, limit: int = _ALL, *, task: str | None = None) -> list[Record]:
        """What the store knows of up to `limit` of them, oldest first; of the name `task` only."""
        records: list[Record] = self._app.broker.listing([Phase.DEAD], limit, task=task)
        return records

    def retry(self, ids: Iterable[Any] | None = None) -> list[str]:
        """Make them ready again, with all their retries; answer their ids.

        `ids`: ids or results; all of them unless given. A task that has failed otherwise, was
        revoked or expired can be named as well.
        """
        names = self._dead() if ids is None else [str(id) for id in ids]
        revived: list[str] = self._app.broker.revive(names)
        return revived

    def purge(self, ids: Iterable[Any] | None = None) -> int:
        """Forget them, all or those of `ids`; answer how many there were."""
        dead = self._dead()
        wanted = set(dead) if ids is None else {str(id) for id in ids}
        purged: int = self._app.broker.forget([id for id in dead if id in wanted])
        return purged

    def _dead(self) -> list[str]:
        return [record.message.id for record in self.records()]
