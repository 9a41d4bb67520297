"""A listener for notifications that arise in this process, or arrive in one of its threads."""

from ..support.wakeup import Wakeup
from .base import Listener


class LocalListener(Wakeup, Listener):
    """Notified by `set`, from any thread."""

    def __del__(self) -> None:
        self.close()  # a thread that ended leaves its listener behind
