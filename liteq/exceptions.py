"""Every error liteq raises, sorted by who must act.

    LiteqError
      ConfigurationError           the author of the program: a setting, an option, an `-A`
        ImproperlyConfigured       (Celery's name for it)
      InvalidTaskError             the caller: a message that cannot be sent as it is
        SerializationError         a value that cannot be turned into bytes, or back
          ContentDisallowed        a serializer that `accept_content` does not name
        PayloadTooLarge
      NotRegistered                no task of that name here
      AlreadyRegistered
      BrokerError                  the operator: the store
        BrokerUnavailable          trying again later may help
          BrokerLocked             somebody else kept it locked for as long as we waited
          BrokerUnreachable        its server does not answer
          BrokerFull               its server has no memory left
          OperationalError         (Celery's name for it)
        BrokerCorrupt              the file is not, or no longer, a liteq store
          BrokerGone               it was deleted or replaced while it was in use
        BrokerTooNew               written by a newer liteq
        BrokerInsecure             somebody else could write the file
      TaskError                    whoever waits for a result
        RemoteError                the task failed with an exception that is not importable here
        TimeoutError               the result did not come in time
        TaskRevokedError
        ChordError
        MaxRetriesExceededError
        WorkerLostError            the process that ran the task died
        TimeLimitExceeded          hard limit: the process was killed
        Terminated
        ResultNotSerializable
      SoftTimeLimitExceeded        raised inside a task that ran too long
      SecurityError                a signature that does not fit
    TaskPredicate                  not errors: how a task says what is to become of it
      Retry, Ignore (Replaced), Reject

Facts are attributes, the message is for people, the driver's error is `__cause__`.
"""

import builtins
from typing import Any


class LiteqError(Exception):
    """Any error of liteq."""


CeleryError = LiteqError


class ConfigurationError(LiteqError):
    """A setting, an option or an application reference is wrong."""


class ImproperlyConfigured(ConfigurationError):
    """Celery's name for a configuration that cannot work."""


class InvalidTaskError(LiteqError):
    """A message cannot be sent, or cannot be run, as it is."""


class SerializationError(InvalidTaskError):
    """A value cannot be turned into bytes, or bytes not into a value."""


class ContentDisallowed(SerializationError):
    """Bytes of a serializer that `accept_content` does not name."""


class PayloadTooLarge(InvalidTaskError):
    """Arguments or a result beyond the limit (`max_payload_size`)."""


class NotRegistered(LiteqError, KeyError):
    """No task of that name is registered here."""

    def __str__(self) -> str:  # KeyError would show the repr
        return str(self.args[0]) if self.args else ""


class AlreadyRegistered(LiteqError):
    """The name belongs to another task."""


class BrokerError(LiteqError):
    """The store cannot do what was asked."""


class BrokerUnavailable(BrokerError, ConnectionError):
    """The store does not answer now; trying again later may help."""


class BrokerLocked(BrokerUnavailable):
    """Somebody else kept the store locked for as long as the caller waits."""


class BrokerUnreachable(BrokerUnavailable):
    """The server that keeps the store does not answer; a worker waits for it."""


class BrokerFull(BrokerUnavailable):
    """The server that keeps the store has no memory left for more."""


class OperationalError(BrokerUnavailable):
    """Celery's name for a store that does not answer."""


class BrokerCorrupt(BrokerError):
    """The file is not, or no longer, a store of liteq."""


class BrokerGone(BrokerCorrupt):
    """The file was deleted or replaced while it was in use."""


class BrokerTooNew(BrokerError):
    """The store was written by a newer liteq than this one."""


class BrokerInsecure(BrokerError):
    """Somebody else could write the store."""


class TaskError(LiteqError):
    """What a waiting caller gets to see of a task that did not succeed."""


class RemoteError(TaskError):
    """A task failed with an exception whose class is not importable in this process.

    A subclass of the same name is made for each such class, so `type(exc).__name__` tells.
    """


class TimeoutError(TaskError, builtins.TimeoutError):
    """The result did not come in time."""


class TaskRevokedError(TaskError):
    """The task was revoked, or expired, before it ran."""


class ChordError(TaskError):
    """A task of the chord's header failed, so the body cannot run."""


class MaxRetriesExceededError(TaskError):
    """The task asked for one retry more than it may have."""

    def __init__(self, *args: Any, task_args: Any = (), task_kwargs: Any = None) -> None:
        super().__init__(*args)
        self.task_args: Any = task_args
        self.task_kwargs: Any = task_kwargs or {}


class WorkerLostError(TaskError):
    """The process that ran the task died."""


class TimeLimitExceeded(TaskError):
    """The hard time limit passed and the process was killed."""


class Terminated(TaskError):
    """The task was running when it was revoked with `terminate=True`."""


class ResultNotSerializable(TaskError):
    """The task ran, but what it returned cannot be turned into bytes."""


class IncompleteStream(TaskError):
    """Results were collected before they were ready."""


class BackendError(LiteqError):
    """Celery's name for trouble with stored results."""


class QueueNotFound(ConfigurationError, KeyError):
    """Celery's name for a queue that is not in `task_queues`."""


class SoftTimeLimitExceeded(LiteqError):
    """Raised inside a task when its soft time limit passes."""


class SecurityError(LiteqError):
    """A signature is missing or does not fit; nothing was decoded."""


class WorkerShutdown(SystemExit):
    """Celery's name: raised to stop a worker warmly."""


class WorkerTerminate(SystemExit):
    """Celery's name: raised to stop a worker at once."""


class TaskPredicate(Exception):  # says what is to become of the task; no error
    """How a running task says what is to become of it."""


class Retry(TaskPredicate):
    """The task is to run again.

    `exc` is the reason, `when` the seconds to wait or the moment (a datetime).
    """

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | str | None = None,
        when: Any = None,
        *,
        sig: Any = None,
    ) -> None:
        self.message = message
        self.exc = exc
        self.when = when
        self.sig = sig
        super().__init__(message, exc, when)

    def humanize(self) -> str:
        """When the next attempt comes, in words."""
        return f"in {self.when}s" if isinstance(self.when, int | float) else f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        reason = f": {self.exc!r}" if self.exc else ""
        return f"Retry {self.humanize()}{reason}"


RetryTaskError = Retry


class Ignore(TaskPredicate):
    """The task is finished, and nothing is to be stored about it but the state that it gave itself
    by `update_state`."""


class Replaced(Ignore):
    """The task's work is done by `sig` instead, under the task's id."""

    def __init__(self, sig: Any) -> None:
        self.sig = sig
        super().__init__(sig)

    def __str__(self) -> str:
        return f"replaced by {self.sig!r}"


class Reject(TaskPredicate):
    """The task does not want this message; with `requeue=True` it goes back to the queue."""

    def __init__(self, reason: Any = None, requeue: bool = False) -> None:
        self.reason = reason
        self.requeue = requeue
        super().__init__(reason, requeue)
