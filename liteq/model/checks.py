"""Checks of values that come from outside: from a store, or from a child process.

Any program that can write a store, and any task, which can write to the stream of its process, may
have made them. A value that passes has the types that all the code after it counts on.
"""

from collections.abc import Iterable
from math import isnan
from typing import Any

from ..exceptions import InvalidTaskError
from ..states import Phase
from .entry import Entry
from .graph import Graph, Group, Place
from .message import Attempt, Member, Message, Record
from .options import options_of, options_of_group
from .output import LONGEST, Output, OutputLine
from .stat import Stat
from .step import Event, Step

UNREADABLE = (
    InvalidTaskError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""List the errors that decoding raises for data that liteq did not write."""

_NONE = type(None)
TEXT, MAYBE_TEXT, MAYBE_BYTES = (str,), (str, _NONE), (bytes, _NONE)
WHOLE, NUMBER, TIME = (int,), (float, int), (float, int, _NONE)
FLAG = (bool, int)
_WORDS = {
    TEXT: "text",
    MAYBE_TEXT: "text",
    WHOLE: "a whole number",
    NUMBER: "a number",
    TIME: "a number (a time is in seconds since the epoch)",
    FLAG: "0 or 1",
}


class Shape:
    """The types that the fields of a value may have, by name. A subclass is none of them."""

    def __init__(self, **fields: tuple[type, ...]) -> None:
        self._fields = fields
        self._passed: set[tuple[type, ...]] = set()  # as many as there are right combinations

    def check(self, values: Iterable[Any]) -> None:
        """Raise InvalidTaskError unless all of `values` have a type that is expected."""
        types = tuple(map(type, values))
        if types not in self._passed:  # 0.3 us, where the check takes 2 us
            self._check(tuple(values))
            self._passed.add(types)

    def _check(self, values: tuple[Any, ...]) -> None:
        if len(values) != len(self._fields):
            raise InvalidTaskError(f"it has {len(values)} fields, not {len(self._fields)}")
        for (name, types), value in zip(self._fields.items(), values, strict=True):
            if type(value) not in types:
                words = _WORDS.get(types, types[0].__name__)
                raise InvalidTaskError(f"its {name} is {shown(value)}, but must be {words}")


_MESSAGE = Shape(
    id=TEXT,
    task=TEXT,
    payload=(bytes,),
    serializer=TEXT,
    queue=TEXT,
    priority=WHOLE,
    eta=TIME,
    expires=TIME,
    retries=WHOLE,
    acks_late=FLAG,
    ignore_result=FLAG,
    track_started=FLAG,
    options=MAYBE_TEXT,
)
_PLACE = Shape(
    waits=MAYBE_TEXT,
    barrier=FLAG,
    on_failure=FLAG,
    takes=FLAG,
    group=MAYBE_TEXT,
    position=WHOLE,
    followed=FLAG,
    delay=TIME,
)
_GROUP = Shape(id=TEXT, outer=MAYBE_TEXT, position=WHOLE, forgiving=FLAG, options=MAYBE_TEXT)
_MEMBER = Shape(group=TEXT, position=WHOLE, options=MAYBE_TEXT)
_RECORD = Shape(
    message=(Message,),
    phase=(Phase,),
    token=WHOLE,
    lost=WHOLE,
    worker=MAYBE_TEXT,
    created=NUMBER,
    started=TIME,
    finished=TIME,
    keep_until=TIME,
    result=MAYBE_BYTES,
    result_serializer=MAYBE_TEXT,
    traceback=MAYBE_TEXT,
    reported=MAYBE_TEXT,
    woken_by=MAYBE_TEXT,
    waits=MAYBE_TEXT,
    barrier=FLAG,
    group=MAYBE_TEXT,
    position=WHOLE,
    on_failure=FLAG,
    seq=WHOLE,
    event=MAYBE_TEXT,
)
_ATTEMPT = Shape(
    number=WHOLE,
    started=TIME,
    ended=TIME,
    worker=MAYBE_TEXT,
    outcome=TEXT,
    error=MAYBE_TEXT,
)
_STEP = Shape(
    name=TEXT,
    kind=TEXT,
    at=NUMBER,
    until=TIME,
    value=MAYBE_BYTES,
    serializer=MAYBE_TEXT,
    failed=FLAG,
)
_OUTPUT_LINE = Shape(attempt=WHOLE, number=WHOLE, at=NUMBER, level=MAYBE_TEXT, text=TEXT)
_OUTPUT = Shape(attempt=WHOLE, last=WHOLE, keep_from=WHOLE, lines=TEXT, begins=(bool,))
_EVENT = Shape(key=TEXT, value=(bytes,), serializer=TEXT, at=NUMBER, keep_until=TIME, id=TEXT)
_STAT = Shape(
    seconds=WHOLE,
    start=WHOLE,
    queue=TEXT,
    task=TEXT,
    outcome=TEXT,
    number=WHOLE,
    ran=NUMBER,
    runs=(dict,),
    waited=NUMBER,
    waits=(dict,),
)
_ENTRY = Shape(
    name=TEXT,
    schedule=TEXT,
    message=(Message,),
    moment=TIME,
    due=TIME,
    planned=NUMBER,
    version=WHOLE,
    app=MAYBE_TEXT,
    paused=FLAG,
    runs=WHOLE,
    last=TIME,
    last_id=MAYBE_TEXT,
    misfire=TEXT,
    grace=TIME,
    overlap=FLAG,
    jitter=NUMBER,
    expires=TIME,
    undeclared=FLAG,
)
_LONGEST = 1e15  # seconds: more than any time, and less than a float can hold
_LIMITS = ("time_limit", "soft_time_limit")
_SHOWN = 60  # characters of a wrong value
_EXACT = 2**53  # floats hold integers below this one exactly
_BEYOND = 2**63  # SQLite keeps integers below this one


def is_text(value: str) -> bool:
    """Return whether a store can hold `value`: not with half a surrogate pair in it."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_storable(names: Iterable[str], values: Iterable[Any]) -> None:
    """Raise InvalidTaskError if one of `values`, of the fields `names`, is none for every store.

    SQLite has no larger integers, and stores NaN as null; no store has half a surrogate pair.
    """
    for name, value in zip(names, values, strict=True):
        match value:
            case int():
                fits = -_BEYOND <= value < _BEYOND
            case float():
                fits = not isnan(value)
            case str():
                fits = is_text(value)
            case _:
                fits = True
        if not fits:
            raise InvalidTaskError(f"its {name} is {shown(value)}, which not every store can keep")


def check_message(message: Message) -> None:
    """Raise InvalidTaskError unless `message` is one that liteq could have made."""
    _MESSAGE.check(message)
    if message.options is not None:
        _check_options(message)


def check_place(place: Place) -> None:
    """Raise InvalidTaskError unless `place` is one that liteq could have made."""
    _PLACE.check(place)


def check_graph(graph: Graph) -> None:
    """Raise InvalidTaskError unless `graph` is one that liteq could have made."""
    if len(graph.messages) != len(graph.places):
        raise InvalidTaskError("the tasks of a workflow and their places differ in number")
    for message in graph.messages:
        check_message(message)
    for place in graph.places:
        check_place(place)
    for group in graph.groups:
        check_group(group)


def check_group(group: Group) -> None:
    """Raise InvalidTaskError unless `group` is one that liteq could have made."""
    _GROUP.check(group)
    check_member((group.id, 0, group.options))


def check_member(member: Member) -> None:
    """Raise InvalidTaskError unless `member` is one that liteq could have made."""
    _MEMBER.check(member)
    try:
        options_of_group(member[2])
    except UNREADABLE:
        text = shown(member[2])
        raise InvalidTaskError(f"the options of its group are no JSON object: {text}") from None


def check_record(record: Record) -> None:
    """Raise InvalidTaskError unless `record` is one that liteq could have made."""
    _RECORD.check(record)
    check_message(record.message)


def check_attempt(attempt: Attempt) -> None:
    """Raise InvalidTaskError unless `attempt` is one that liteq could have made."""
    _ATTEMPT.check(attempt)


def check_step(step: Step) -> None:
    """Raise InvalidTaskError unless `step` is one that liteq could have made."""
    _STEP.check(step)
    check_storable(Step._fields, step)


def check_output(output: Output) -> None:
    """Raise InvalidTaskError unless every store can keep `output`. Its lines are not read."""
    _OUTPUT.check(output)
    _, last, keep_from, lines, _ = output
    if not (0 < keep_from <= last < _EXACT) or len(lines) > LONGEST or not is_text(lines):
        raise InvalidTaskError("its output is too large, or wrong")


def check_output_line(line: OutputLine) -> None:
    """Raise InvalidTaskError unless `line` is one that liteq could have made."""
    _OUTPUT_LINE.check(line)
    check_storable(OutputLine._fields, line)


def check_event(event: Event) -> None:
    """Raise InvalidTaskError unless `event` is one that liteq could have made."""
    _EVENT.check(event)
    check_storable(Event._fields, event)


def check_stat(stat: Stat) -> None:
    """Raise InvalidTaskError unless `stat` is one that liteq could have made."""
    _STAT.check(stat)
    check_storable(Stat._fields, stat)
    for value in (*stat.runs, *stat.runs.values(), *stat.waits, *stat.waits.values()):
        if type(value) is not int:
            raise InvalidTaskError(f"its histogram has {shown(value)}, not a whole number")


def check_entry(entry: Entry) -> None:
    """Raise InvalidTaskError unless `entry` is one that liteq could have made."""
    _ENTRY.check(entry)
    check_message(entry.message)
    check_storable(Entry._fields, entry)


def _check_options(message: Message) -> None:
    try:
        options = options_of(message)
    except UNREADABLE:
        text = shown(message.options)
        raise InvalidTaskError(f"its options are no JSON object: {text}") from None
    for name in _LIMITS:
        limit = options.get(name)
        if type(limit) not in TIME or (limit is not None and not abs(limit) <= _LONGEST):
            raise InvalidTaskError(f"its {name} is {shown(limit)}, not a number of seconds")
    if type(options.get("headers")) not in (dict, _NONE):
        raise InvalidTaskError(f"its headers are {shown(options['headers'])}, not an object")


def shown(value: object) -> str:
    """Return a wrong value for an error message: short, and in ASCII."""
    try:
        text = ascii(value)
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
