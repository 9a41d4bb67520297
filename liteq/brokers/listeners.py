"""A listener for notifications that come from this process, or arrive in one of its threads."""

from ..support.wakeup import Wakeup
from .base import Listener


class LocalListener(Wakeup, Listener):
    """A listener that is notified by `set`, from any thread."""

    def __del__(self) -> None:
        self.close()  # for a thread that ended without closing it
