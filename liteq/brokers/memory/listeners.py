"""Listeners inside one process."""

from collections.abc import Collection, Iterable

from ..listeners import LocalListener


class MemoryListener(LocalListener):
    """A listener that the broker notifies of every change, or of those of some tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._expected: frozenset[str] | None = None  # all
        self._progress: frozenset[str] = frozenset()
        self._ordered = True

    def expect(self, ids: Collection[str] | None, progress: Collection[str] = ()) -> None:
        self._expected = None if ids is None else frozenset(ids)
        self._progress = frozenset(progress)

    def expects(self, id: str) -> bool:
        """Return whether it is to be notified of the task `id`."""
        return self._expected is None or id in self._expected

    def expects_progress(self, id: str) -> bool:
        """Return whether it is to be notified of the progress of the task `id`."""
        return id in self._progress

    def missed(self) -> bool:
        return False

    def note_order(self) -> None:
        """Note that there are orders."""
        self._ordered = True

    def ordered(self) -> bool:
        ordered, self._ordered = self._ordered, False
        return ordered


def notify(listeners: Iterable[MemoryListener]) -> None:
    """Notify all of `listeners`."""
    for listener in listeners:
        listener.set()
