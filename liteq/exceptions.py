"""All errors of liteq, sorted by who must act.

    LiteqError
      ConfigurationError           the author of the program: a setting, an option, an `-A`
        ImproperlyConfigured       (Celery's name for it)
        StepError                  a step of a task whose name is taken
      InvalidTaskError             the caller: a message that cannot be sent as it is
        SerializationError         a value that cannot be turned into bytes, or back
          ContentDisallowed        a serializer that `accept_content` does not name
        PayloadTooLarge
        DuplicateTask              another task has the unique key of the call
      TransactionError             the caller: a connection that cannot be used as it is
      NotRegistered                no task of that name here
      AlreadyRegistered            (Celery's; never raised)
      BrokerError                  the operator: the store
        BrokerUnavailable          trying again later may help (Celery: OperationalError)
          BrokerLocked             another process held its lock for as long as we waited
          BrokerUnreachable        its server does not answer
          BrokerFull               its server has no memory left
        BrokerCorrupt              the file is not, or no longer, a liteq store
          BrokerGone               it was deleted or replaced while it was in use
        BrokerTooNew               written by a newer liteq
        BrokerTooOld               of an older liteq, and whoever only looks does not upgrade it
        BrokerInsecure             other users can write the file
        BrokerRefused              it can never store this value as it is
      TaskError                    the caller who waits for a result
        RemoteError                the task failed with an exception that is not importable here
        TimeoutError               the result was not there in time
          EventTimeoutError        the event that a task waits for did not come in time
        TaskRevokedError
        ChordError
        MaxRetriesExceededError
        WorkerLostError            the process that ran the task died
        TimeLimitExceeded          hard limit: the process was killed
        Terminated
        ResultNotSerializable
      SoftTimeLimitExceeded        raised inside a task that ran too long
      SecurityError                a signature that is missing or wrong
    TaskPredicate                  not errors: a running task decides how it ends
      Retry, Ignore (Replaced), Reject, Snooze
    ClaimLost                      not an error: another worker has the task, and this run ends

Facts are attributes, the message is for people, the driver's error is `__cause__`.
"""

import builtins
import contextvars
from typing import Any


class LiteqError(Exception):
    """The base of all errors of liteq."""


CeleryError = LiteqError


class ConfigurationError(LiteqError):
    """A setting, an option or an application reference is wrong."""


class ImproperlyConfigured(ConfigurationError):
    """Celery's name for a configuration that cannot work."""


class StepError(ConfigurationError):
    """A step of a task whose name is used twice in a run, or by another kind of step before."""


class InvalidTaskError(LiteqError):
    """A message that cannot be sent, or cannot be run, as it is."""


class SerializationError(InvalidTaskError):
    """A value that cannot be turned into bytes, or bytes that cannot be turned into a value."""


EncodeError = DecodeError = SerializationError  # kombu's names


class ContentDisallowed(SerializationError):
    """Bytes of a serializer that `accept_content` does not allow."""


class PayloadTooLarge(InvalidTaskError):
    """Arguments, a result, or the value of a step or an event, larger than `max_payload_size`."""


class DuplicateTask(InvalidTaskError):
    """A call that is not sent, as another task has its unique key and the call says `raise`.

    `key` is that key, and `task_id` the task that has it.
    """

    def __init__(self, message: str = "", key: str = "", task_id: str = "") -> None:
        super().__init__(message, key, task_id)
        self.key: str = key
        self.task_id: str = task_id

    def __str__(self) -> str:
        return str(self.args[0])


class TransactionError(LiteqError):
    """A connection, or a transaction on it, in which tasks cannot be sent or completed."""


class NotRegistered(LiteqError, KeyError):
    """A task name that is not registered in this process."""

    def __str__(self) -> str:  # KeyError would show the repr
        return str(self.args[0]) if self.args else ""


class AlreadyRegistered(LiteqError):
    """Celery's name, for programs that import it; never raised."""


class BrokerError(LiteqError):
    """An error of the store."""


class BrokerUnavailable(BrokerError, ConnectionError):
    """A store that does not answer now; trying again later may help."""


class BrokerLocked(BrokerUnavailable):
    """A store whose lock another process held for as long as the caller waits."""


class BrokerUnreachable(BrokerUnavailable):
    """A store whose server does not answer; a worker waits for it."""


class BrokerFull(BrokerUnavailable):
    """A store whose server has no memory left."""


OperationalError = BrokerUnavailable  # Celery's and kombu's name


class BrokerCorrupt(BrokerError):
    """A file that is not, or no longer, a store of liteq."""


class BrokerGone(BrokerCorrupt):
    """A store whose file was deleted or replaced while it was in use."""


class BrokerTooNew(BrokerError):
    """A store that was written by a newer liteq than this one."""


class BrokerTooOld(BrokerError):
    """A store of an older liteq than this one, which a command that only looks leaves as it is."""


class BrokerInsecure(BrokerError):
    """A store that other users of the system could write or replace."""


class BrokerRefused(BrokerError):
    """A value that the store can never hold as it is, however often it is tried."""


class TaskError(LiteqError):
    """An error of a task, raised where its result is waited for."""


class RemoteError(TaskError):
    """An exception of a task whose class cannot be imported in this process.

    For each such class a subclass of the same name is made, so `type(exc).__name__` is its name.
    It also derives from the nearest base class that this process has imported.
    """

    # Not those of the base class, as KeyError has its own.

    def __str__(self) -> str:
        return BaseException.__str__(self)

    def __repr__(self) -> str:
        return BaseException.__repr__(self)


class TimeoutError(TaskError, builtins.TimeoutError):
    """A result that was not there in time."""


class EventTimeoutError(TimeoutError):
    """An event that did not come in the time for which a task waited for it."""


class TaskRevokedError(TaskError):
    """A task that was revoked, or expired, before it ran."""


class ChordError(TaskError):
    """A failure in the header of a chord, so that its body cannot run."""


class MaxRetriesExceededError(TaskError):
    """A retry that was asked for when none were left."""

    def __init__(self, *args: Any, task_args: Any = (), task_kwargs: Any = None) -> None:
        super().__init__(*args)
        self.task_args: Any = task_args
        self.task_kwargs: Any = task_kwargs or {}


class WorkerLostError(TaskError):
    """A task whose process died while running it."""


class TimeLimitExceeded(TaskError):
    """A task whose process was killed for the hard time limit."""


class Terminated(TaskError):
    """A task that was revoked with `terminate=True` while it ran."""


class ResultNotSerializable(TaskError):
    """A task that ran, but whose return value cannot be turned into bytes."""


class IncompleteStream(TaskError):
    """Results that were collected before they were ready."""


class BackendError(LiteqError):
    """Celery's name for an error of stored results."""


class QueueNotFound(ConfigurationError, KeyError):
    """Celery's name for a queue that is not in `task_queues`."""


class SoftTimeLimitExceeded(LiteqError):
    """The soft time limit: raised inside a task when it passes."""


class SecurityError(LiteqError):
    """A signature that is missing or wrong; nothing was decoded."""


class WorkerShutdown(SystemExit):
    """Celery's name, for programs that import it; liteq neither raises nor handles it.

    Raised by a task, it is that task's failure, as any SystemExit. `Worker.stop` stops a worker.
    """


class WorkerTerminate(SystemExit):
    """Celery's name, for programs that import it; see `WorkerShutdown`."""


class TaskPredicate(Exception):
    """The base of exceptions by which a running task decides how it ends; not errors."""


class Retry(TaskPredicate):
    """A request to run the task again.

    `exc` is the reason, `when` the seconds to wait or the time of the next attempt (a datetime).
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
        """Return the time of the next attempt in words."""
        return f"in {self.when}s" if isinstance(self.when, int | float) else f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        reason = f": {self.exc!r}" if self.exc else ""
        return f"Retry {self.humanize()}{reason}"


RetryTaskError = Retry


class Ignore(TaskPredicate):
    """A request to store no result; a state that the task set by `update_state` stays."""


class Replaced(Ignore):
    """A replacement of the task by the signature `sig`, which runs under the task's id.

    `variables`: the context variables of the task, for what is called when `sig` is sent.
    """

    def __init__(self, sig: Any, variables: contextvars.Context | None = None) -> None:
        self.sig = sig
        self.variables: contextvars.Context = variables or contextvars.Context()
        super().__init__(sig)

    def __str__(self) -> str:
        return f"replaced by {self.sig!r}"


class Snooze(TaskPredicate):
    """A request to put the task back for a while, which costs no retry: `raise Snooze(30)`.

    `when`: seconds, a timedelta, or a datetime before which it does not run again; it takes a
    tenth of a second in any case. Raises TypeError when it is none of them.
    """

    def __init__(self, when: Any) -> None:
        is_number = isinstance(when, int | float) and not isinstance(when, bool)
        if not (is_number or hasattr(when, "total_seconds") or hasattr(when, "timestamp")):
            raise TypeError(f"Snooze takes seconds, a timedelta or a datetime, not {when!r:.99}")
        self.when = when
        super().__init__(when)

    def __str__(self) -> str:
        at = "until" if hasattr(self.when, "timestamp") else "for"
        unit = " s" if isinstance(self.when, int | float) else ""
        return f"put back {at} {self.when}{unit}"


class Reject(TaskPredicate):
    """A rejection of the message; with `requeue=True` it goes back to its queue."""

    def __init__(self, reason: Any = None, requeue: bool = False) -> None:
        self.reason = reason
        self.requeue = requeue
        super().__init__(reason, requeue)


class ClaimLost(BaseException):
    """The end of a run whose task another worker has by now: nothing of it is written.

    It is no Exception, so that the `except Exception` of a task lets it through.
    """
