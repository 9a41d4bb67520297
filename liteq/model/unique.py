"""Unique keys: of the tasks of one key, a store keeps only so many as the calls say.

A `Unique` is what the code of an application says (`liteq/sending/unique.py`). A message has the
`UniqueKey` that follows for its arguments, among its options.
"""

from typing import Any, NamedTuple

from ..states import Phase
from .keytemplate import LONGEST_KEY
from .message import Delivery, Input, Message, Record
from .options import options_of, with_notes

OPTION = "unique"
"""The name, among the options of a message, of its key."""
_MARK = f'"{OPTION}"'  # a part of the options' text, if there is one among them

STARTED, FINISHED = "started", "finished"
SKIP, REPLACE, COALESCE, RAISE, THROTTLE = "skip", "replace", "coalesce", "raise", "throttle"
POLICIES = (SKIP, REPLACE, COALESCE, RAISE)
"""What `then` may be. (`throttle` is the option of a call.)"""

_LONGEST_NAME = 255  # characters, of a task
_LONGEST_TIME = 1e10  # seconds

_SAME = "same"


class UniqueKey(NamedTuple):
    """The unique key of a message, and what becomes of it when another task has that key."""

    key: str  # with the name of the task before it
    until: str | float = FINISHED  # how long it is kept: STARTED, FINISHED, or seconds from now
    then: str = SKIP  # what becomes of a message whose key is taken
    latest: float | None = None  # seconds from the first message on: a later one is not awaited

    @property
    def seconds(self) -> float | None:
        """Return for how long the key is kept whatever becomes of the task; None: it is not."""
        return None if isinstance(self.until, str) else self.until

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can have it, without what has its usual value."""
        usual = self._field_defaults
        pairs = self._asdict().items()
        return {name: each for name, each in pairs if each != usual.get(name)}


def has_key(message: Message | Delivery) -> bool:
    """Return whether `message` may have a key; if not, `key_of` returns None."""
    return message.options is not None and _MARK in message.options


def key_of(message: Message) -> UniqueKey | None:
    """Return the key of `message`; None if it has none, or what liteq has not written."""
    if not has_key(message):
        return None
    given = options_of(message).get(OPTION)
    if not isinstance(given, dict):
        return None
    key = UniqueKey(
        given.get("key", ""),
        given.get("until", FINISHED),
        given.get("then", SKIP),
        given.get("latest"),
    )
    return key if _is_whole(key) else None


def _is_whole(key: UniqueKey) -> bool:
    """Return whether its parts are what they have to be: any program may have sent it."""
    if type(key.key) is not str or not 0 < len(key.key) <= _LONGEST_NAME + 1 + LONGEST_KEY:
        return False
    if key.then not in (*POLICIES, THROTTLE):
        return False
    if key.then == THROTTLE and key.seconds is None:
        return False
    known = key.until in (STARTED, FINISHED) or _is_time(key.until)
    return known and (key.latest is None or _is_time(key.latest))


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LONGEST_TIME


def is_held_back(record: Record, *, has_run: bool) -> bool:
    """Return whether a task waits for another one that has its key."""
    waits = record.phase is Phase.WAITING and has_key(record.message)
    # One that has run waits for something else, and one that was not woken for its turn.
    fresh = not has_run and record.event is None
    return waits and fresh and (record.waits is None or record.woken_by is not None)


def stored_key(task: str, key: str) -> str:
    """Return `key` of a task as a store has it: each task has keys of its own."""
    return f"{task} {key}"


def own_part(task: str, stored: str) -> str:
    """Return the key as the code of the task has it."""
    return stored.removeprefix(f"{task} ")


def with_arguments_of(
    message: Message, given: Message, eta: float | None, *, takes: bool
) -> Message:
    """Return `message`, which waits, with the arguments of the later call `given`, and when it is
    to run by that. `takes`: it has waited for another task, whose result it does not take now."""
    if takes:
        message = with_notes(message, immutable=True)
    return message._replace(
        payload=given.payload, serializer=given.serializer, expires=given.expires, eta=eta
    )


# A task of a workflow whose key was taken does not run: it ends as the one does that has the key.


def same_as(end: Input) -> tuple[str, tuple[Any, ...], None]:
    """Return the inputs of a delivery that is to end as `end`: plain tuples, for the stream."""
    return _SAME, tuple(end), None


def same_end(inputs: Any) -> Input | None:
    """Return the end that a delivery with these inputs is to have; None for any other one."""
    if type(inputs) is tuple and len(inputs) == 3 and inputs[0] == _SAME:
        return Input._make(inputs[1])
    return None
