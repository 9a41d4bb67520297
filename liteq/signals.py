"""Signals around sending and running tasks, with Celery's names.

    @task_failure.connect(sender=add)
    def note(sender, task_id, exception, **_): ...

On a hot path `signal.receivers` is checked before a signal is sent, so that signals without
receivers cost nothing.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, overload

Receiver = Callable[..., Any]


class _Connection(NamedTuple):
    """One connection of a receiver to a signal."""

    key: object
    sender: object  # None: all senders
    find: Callable[[], Receiver | None]  # returns None when the receiver was garbage collected


class Signal:
    """A named event, and the receivers that are called when it happens.

    A receiver is called with keyword arguments only: `signal`, `sender`, and those of the signal.
    It should take `**kwargs`, because later versions may add some.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Replaced, never changed in place, so that `send` can iterate over it without the lock.
        self.receivers: tuple[_Connection, ...] = ()
        # Reentrant: the garbage collector may drop a receiver while this thread holds the lock.
        self._lock = threading.RLock()

    @overload
    def connect(
        self, *, sender: object = None, weak: bool = True, dispatch_uid: object = None
    ) -> Callable[[Receiver], Receiver]: ...
    @overload
    def connect(
        self,
        receiver: Receiver,
        sender: object = None,
        weak: bool = True,
        dispatch_uid: object = None,
    ) -> Receiver: ...
    def connect(
        self,
        receiver: Receiver | None = None,
        sender: object = None,
        weak: bool = True,
        dispatch_uid: object = None,
    ) -> Any:
        """Call `receiver` whenever the signal is sent; also usable as a decorator.

        `sender`: only when this one sends it. `weak=False` keeps the receiver alive; otherwise a
        local function is dropped with the scope that made it. Of several connections with one
        `dispatch_uid` only the first counts. Returns the receiver.
        """
        if receiver is None:
            return lambda function: self.connect(function, sender, weak, dispatch_uid)
        key = _key(receiver, sender, dispatch_uid)
        find = self._weak_finder(receiver, key) if weak else lambda: receiver
        with self._lock:
            if all(each.key != key for each in self.receivers):
                self.receivers += (_Connection(key, sender, find),)
        return receiver

    def disconnect(
        self, receiver: Receiver | None = None, sender: object = None, dispatch_uid: object = None
    ) -> bool:
        """Undo the `connect` with the same arguments; return whether there was one."""
        return self._drop(_key(receiver, sender, dispatch_uid))

    def has_listeners(self, sender: object = None) -> bool:
        """Return whether a receiver would be called if `sender` sent the signal."""
        return any(_matches(each, sender) for each in self.receivers)

    def send(self, sender: object, **named: Any) -> list[tuple[Receiver, Any]]:
        """Call all receivers; return each of them with its return value.

        An exception of a receiver is logged, and returned in place of the value.
        """
        called = (self.send_to(each, sender, named) for each in self.receivers)
        return [each for each in called if each is not None]

    def send_to(
        self, connection: _Connection, sender: object, named: dict[str, Any], quiet: bool = False
    ) -> tuple[Receiver, Any] | None:
        """Call the receiver of one connection; return it with its return value.

        None when the receiver is gone, or connected to another sender. `quiet`: do not log an
        exception, which is left to the caller.
        """
        receiver = connection.find() if _matches(connection, sender) else None
        if receiver is None:
            return None
        try:
            return receiver, receiver(signal=self, sender=sender, **named)
        except Exception as exc:
            if not quiet:
                from logging import getLogger  # 10 ms, which programs that only send can save

                logger = getLogger("liteq.signals")
                logger.exception("the receiver %r of the signal %s failed", receiver, self.name)
            return receiver, exc

    def _weak_finder(self, receiver: Receiver, key: object) -> Callable[[], Receiver | None]:
        kind: Any = weakref.WeakMethod if hasattr(receiver, "__self__") else weakref.ref
        try:
            find: Callable[[], Receiver | None] = kind(receiver, lambda _: self._drop(key))
        except TypeError:  # a method of a builtin, or an object with slots
            return lambda: receiver
        return find

    def _drop(self, key: object) -> bool:
        with self._lock:
            kept = tuple(each for each in self.receivers if each.key != key)
            found = len(kept) < len(self.receivers)
            self.receivers = kept
        return found

    def __repr__(self) -> str:
        return f"<Signal: {self.name}>"


def _key(receiver: Receiver | None, sender: object, dispatch_uid: object) -> object:
    if dispatch_uid is not None:
        return dispatch_uid, _identity(sender)
    owner = getattr(receiver, "__self__", None)
    function = getattr(receiver, "__func__", receiver)  # each access makes a new method object
    return id(owner), id(function), _identity(sender)


def _identity(sender: object) -> object:
    return sender if isinstance(sender, str) else id(sender)


def _matches(connection: _Connection, sender: object) -> bool:
    wanted = connection.sender
    return wanted is None or wanted is sender or wanted == sender


# around sending: the sender is the task's name
before_task_publish: Signal = Signal("before_task_publish")
after_task_publish: Signal = Signal("after_task_publish")

# around running: the sender is the task, in the process that runs it
task_received: Signal = Signal("task_received")
task_prerun: Signal = Signal("task_prerun")
task_postrun: Signal = Signal("task_postrun")
task_success: Signal = Signal("task_success")
task_failure: Signal = Signal("task_failure")
task_retry: Signal = Signal("task_retry")
task_revoked: Signal = Signal("task_revoked")
task_rejected: Signal = Signal("task_rejected")
task_unknown: Signal = Signal("task_unknown")
task_internal_error: Signal = Signal("task_internal_error")

# in the lifecycle of a worker
celeryd_init: Signal = Signal("celeryd_init")
celeryd_after_setup: Signal = Signal("celeryd_after_setup")
import_modules: Signal = Signal("import_modules")
worker_init: Signal = Signal("worker_init")
worker_ready: Signal = Signal("worker_ready")
worker_shutting_down: Signal = Signal("worker_shutting_down")
worker_shutdown: Signal = Signal("worker_shutdown")
worker_process_init: Signal = Signal("worker_process_init")
worker_process_shutdown: Signal = Signal("worker_process_shutdown")
heartbeat_sent: Signal = Signal("heartbeat_sent")
beat_init: Signal = Signal("beat_init")
beat_embedded_init: Signal = Signal("beat_embedded_init")

# logging and the command line
setup_logging: Signal = Signal("setup_logging")
after_setup_logger: Signal = Signal("after_setup_logger")
after_setup_task_logger: Signal = Signal("after_setup_task_logger")
user_preload_options: Signal = Signal("user_preload_options")
