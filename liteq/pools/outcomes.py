"""Outcomes and states on the stream from a child to the supervisor: plain tuples of `marshal`.

A task can write to that stream too. So what arrives is checked here, before the supervisor looks
at it.
"""

from collections.abc import Iterator
from typing import Any

from ..exceptions import InvalidTaskError
from ..model.checks import (
    FLAG,
    MAYBE_BYTES,
    MAYBE_TEXT,
    NUMBER,
    TEXT,
    TIME,
    Shape,
    check_graph,
    check_message,
    check_place,
    check_step,
    check_storable,
    shown,
)
from ..model.graph import Graph, Place
from ..model.message import Message
from ..model.outcome import Kind, Outcome
from ..model.step import Step
from .base import StateUpdate

_PLAIN = (tuple, type(None))
_OUTCOME = Shape(
    result=MAYBE_BYTES,
    serializer=MAYBE_TEXT,
    runtime=NUMBER,
    note=TEXT,
    traceback=MAYBE_TEXT,
    eta=TIME,
    message=_PLAIN,
    expected=FLAG,
    graph=_PLAIN,
    place=_PLAIN,
    exhausted=FLAG,
    reported=MAYBE_TEXT,
    step=_PLAIN,
)
_STATE = Shape(id=TEXT, state=TEXT, meta=(bytes,), serializer=TEXT)
_LONGEST = 1e9  # seconds that a run may be said to have taken
_SHORT = 5  # fields that the outcome of nearly every task has: kind to note
_NOTHING_MORE = Outcome(Kind.SUCCEEDED)[_SHORT:]
_new = tuple.__new__
_KINDS = {kind.value: kind for kind in Kind}


def pack(ticket: int, outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome and its ticket as a plain tuple, which is short for nearly every task."""
    if outcome[_SHORT:] == _NOTHING_MORE:
        kind, result, serializer, runtime, note, *_ = outcome
        return (ticket, kind._value_, result, serializer, runtime, note)  # `value` takes 0.1 us
    values: dict[str, Any] = {}
    if outcome.message is not None:
        values["message"] = tuple(outcome.message)
    if outcome.graph is not None:
        values["graph"] = outcome.graph.to_tuples()
    if outcome.place is not None:
        values["place"] = tuple(outcome.place)
    if outcome.step is not None:
        values["step"] = tuple(outcome.step)
    return (ticket, outcome.kind.value, *outcome._replace(**values)[1:])


def unpack(values: Any) -> Iterator[tuple[int, Outcome]]:
    """Yield the tickets and outcomes that were packed. Raises one of UNREADABLE."""
    for item in values:
        if len(item) == 1 + _SHORT:
            ticket, name, result, serializer, runtime, note = item
            if (
                type(result) is bytes
                and type(serializer) is str
                and type(runtime) is float
                and type(note) is str
                and 0.0 <= runtime < _LONGEST
            ):
                yield ticket, Outcome(_KINDS[name], result, serializer, runtime, note)
                continue
        ticket, name, *rest = item
        if len(item) == 1 + _SHORT:
            rest += _NOTHING_MORE
        yield ticket, _checked(_KINDS[name], rest)


def _checked(kind: Kind, values: list[Any]) -> Outcome:
    """Return an outcome, with the values that `pack` has made plain. Takes 1 us."""
    _OUTCOME.check(values)
    if not 0.0 <= values[2] < _LONGEST:
        raise InvalidTaskError(f"its runtime is {shown(values[2])}")
    *head, message, expected, graph, place, exhausted, reported, step = values
    if message is not None:
        message = Message._make(message)
        check_message(message)
        check_storable(Message._fields, message)
    if graph is not None:
        graph = Graph.from_tuples(graph)
        check_graph(graph)
        for each in graph.messages:
            check_storable(Message._fields, each)
    if place is not None:
        place = Place._make(place)
        check_place(place)
    if step is not None:
        step = step_of(step)
    rest = (message, expected, graph, place, exhausted, reported, step)
    return _new(Outcome, (kind, *head, *rest))


def state_of(values: Any) -> StateUpdate:
    """Return the state that a task has set. Raises one of UNREADABLE."""
    _STATE.check(values)
    return StateUpdate._make(values)


def step_of(values: Any) -> Step:
    """Return a step of a task. Raises one of UNREADABLE."""
    step = Step._make(values)
    check_step(step)
    return step
