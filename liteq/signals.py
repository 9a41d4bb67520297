"""Callbacks around sending and running tasks, with Celery's names.

    @task_failure.connect(sender=add)
    def note(sender, task_id, exception, **_): ...

Whoever sends a signal on a hot path looks at `signal.receivers` first, so that nothing is paid
where nobody listens.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, overload

Receiver = Callable[..., Any]


class _Connection(NamedTuple):
    """One receiver, as it was connected."""

    key: object
    sender: object  # None: all senders
    find: Callable[[], Receiver | None]  # answers None when the receiver is gone


class Signal:
    """Something that happens, and those who want to hear of it.

    A receiver is called with keyword arguments only: `signal`, `sender`, and what the signal
    provides. It should take `**kwargs`, because later versions may provide more.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Replaced, never changed in place, so that `send` can walk it without the lock.
        self.receivers: tuple[_Connection, ...] = ()
        # Reentrant: the garbage collector may drop a dead receiver while we hold it.
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

        `sender`: only when it is sent by this one. `weak=False` keeps the receiver alive; else a
        local function is forgotten with the scope that made it. Of several connections with one
        `dispatch_uid` only the first counts. Answers the receiver.
        """
        if receiver is None:
            return lambda function: self.connect(function, sender, weak, dispatch_uid)
        key = _key(receiver, sender, dispatch_uid)
        find = self._weakly(receiver, key) if weak else lambda: receiver
        with self._lock:
            if all(each.key != key for each in self.receivers):
                self.receivers += (_Connection(key, sender, find),)
        return receiver

    def disconnect(
        self, receiver: Receiver | None = None, sender: object = None, dispatch_uid: object = None
    ) -> bool:
        """Undo the `connect` with the same arguments; say whether there was one."""
        return self._drop(_key(receiver, sender, dispatch_uid))

    def has_listeners(self, sender: object = None) -> bool:
        """Whether anybody would hear the signal if `sender` sent it."""
        return any(_fits(each, sender) for each in self.receivers)

    def send(self, sender: object, **named: Any) -> list[tuple[Receiver, Any]]:
        """Call all receivers; answer each with what it returned.

        An exception of a receiver is logged and stands in place of its answer.
        """
        answers = (self.send_to(each, sender, named) for each in self.receivers)
        return [answer for answer in answers if answer is not None]

    def send_to(
        self, connection: _Connection, sender: object, named: dict[str, Any], quiet: bool = False
    ) -> tuple[Receiver, Any] | None:
        """Call the receiver of one of `receivers`; None if it is gone, or does not want to hear.

        `quiet`: whoever asks sees to an exception.
        """
        receiver = connection.find() if _fits(connection, sender) else None
        if receiver is None:
            return None
        try:
            return receiver, receiver(signal=self, sender=sender, **named)
        except Exception as exc:
            if not quiet:
                from logging import getLogger  # 10 ms, which programs that only send need not pay

                logger = getLogger("liteq.signals")
                logger.exception("the receiver %r of the signal %s failed", receiver, self.name)
            return receiver, exc

    def _weakly(self, receiver: Receiver, key: object) -> Callable[[], Receiver | None]:
        kind: Any = weakref.WeakMethod if hasattr(receiver, "__self__") else weakref.ref
        try:
            find: Callable[[], Receiver | None] = kind(receiver, lambda _: self._drop(key))
        except TypeError:  # a builtin's method, or an object with slots
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
    function = getattr(receiver, "__func__", receiver)  # a method is made anew by each access
    return id(owner), id(function), _identity(sender)


def _identity(sender: object) -> object:
    return sender if isinstance(sender, str) else id(sender)


def _fits(connection: _Connection, sender: object) -> bool:
    wanted = connection.sender
    return wanted is None or wanted is sender or wanted == sender


# around sending: the sender is the task's name
before_task_publish = Signal("before_task_publish")
after_task_publish = Signal("after_task_publish")

# around running: the sender is the task, in the process that runs it
task_received = Signal("task_received")
task_prerun = Signal("task_prerun")
task_postrun = Signal("task_postrun")
task_success = Signal("task_success")
task_failure = Signal("task_failure")
task_retry = Signal("task_retry")
task_revoked = Signal("task_revoked")
task_rejected = Signal("task_rejected")
task_unknown = Signal("task_unknown")
task_internal_error = Signal("task_internal_error")

# in the life of a worker
celeryd_init = Signal("celeryd_init")
celeryd_after_setup = Signal("celeryd_after_setup")
import_modules = Signal("import_modules")
worker_init = Signal("worker_init")
worker_ready = Signal("worker_ready")
worker_shutting_down = Signal("worker_shutting_down")
worker_shutdown = Signal("worker_shutdown")
worker_process_init = Signal("worker_process_init")
worker_process_shutdown = Signal("worker_process_shutdown")
heartbeat_sent = Signal("heartbeat_sent")
beat_init = Signal("beat_init")
beat_embedded_init = Signal("beat_embedded_init")

# logging and the command line
setup_logging = Signal("setup_logging")
after_setup_logger = Signal("after_setup_logger")
after_setup_task_logger = Signal("after_setup_task_logger")
user_preload_options = Signal("user_preload_options")
