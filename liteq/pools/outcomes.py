"""Outcomes and states on the stream from a child to the supervisor: plain tuples of `marshal`.

A task can write to that stream too. So what arrives is checked here, before the supervisor looks
at it.
"""

from collections.abc import Sequence
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
from ..model.message import Message, Receipt
from ..model.outcome import Kind, Outcome
from ..model.progress import Progress, ProgressReport, check_progress
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
    settled=FLAG,
)
_STATE = Shape(id=TEXT, state=TEXT, meta=(bytes,), serializer=TEXT)
PackedSuccess = tuple[int, bytes | None, str | None, float]
"""The ticket, result, serializer and runtime of a success without anything more."""

_LONGEST = 1e9  # seconds that a run may be said to have taken
_AFTER_RUNTIME = 4  # the fields behind kind, result, serializer and runtime
_NOTHING_MORE = Outcome(Kind.SUCCEEDED)[_AFTER_RUNTIME:]
_SUCCESS = 4  # values of a success without anything more, with its ticket
_new = tuple.__new__
_KINDS = {kind.value: kind for kind in Kind}


def pack(ticket: int, outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome and its ticket as a plain tuple: a short one for a plain success."""
    kind, result, serializer, runtime, *_ = outcome
    if kind is Kind.SUCCEEDED and outcome[_AFTER_RUNTIME:] == _NOTHING_MORE:
        return (ticket, result, serializer, runtime)
    values: dict[str, Any] = {}
    if outcome.message is not None:
        values["message"] = tuple(outcome.message)
    if outcome.graph is not None:
        values["graph"] = outcome.graph.to_tuples()
    if outcome.place is not None:
        values["place"] = tuple(outcome.place)
    if outcome.step is not None:
        values["step"] = tuple(outcome.step)
    return (ticket, kind.value, *outcome._replace(**values)[1:])


def unpack(values: Any) -> tuple[list[PackedSuccess], list[tuple[int, Outcome]]]:
    """Return the plain successes, and the tickets and outcomes of all else, that were packed.

    Raises one of UNREADABLE.
    """
    successes, others = [], []
    for item in values:
        if len(item) == _SUCCESS:
            _, result, serializer, runtime = item
            # What `_checked` does, in a fifth of the time.
            if not (
                (type(result) is bytes or result is None)
                and (type(serializer) is str or serializer is None)
                and type(runtime) is float
                and 0.0 <= runtime < _LONGEST
            ):
                raise InvalidTaskError(f"a success of {shown(item)}")
            successes.append(item)
        else:
            ticket, name, *rest = item
            others.append((ticket, _checked(_KINDS[name], rest)))
    return successes, others


def _checked(kind: Kind, values: list[Any]) -> Outcome:
    """Return an outcome, with the values that `pack` has made plain. Takes 1 us."""
    _OUTCOME.check(values)
    if not 0.0 <= values[2] < _LONGEST:
        raise InvalidTaskError(f"its runtime is {shown(values[2])}")
    *head, message, expected, graph, place, exhausted, reported, step, settled = values
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
    rest = (message, expected, graph, place, exhausted, reported, step, settled)
    return _new(Outcome, (kind, *head, *rest))


def state_of(values: Any) -> StateUpdate:
    """Return the state that a task has set. Raises one of UNREADABLE."""
    _STATE.check(values)
    return StateUpdate._make(values)


def pack_progress(reports: Sequence[ProgressReport]) -> list[tuple[Any, ...]]:
    """Return how far tasks have come as plain tuples."""
    return [(*receipt, *progress) for receipt, progress in reports]


def progress_of(values: Any) -> ProgressReport:
    """Return how far a task has come, that was packed. Raises one of UNREADABLE."""
    key, token, *fields = values
    progress = Progress._make(fields)
    check_progress(progress)
    return ProgressReport(Receipt(key, token), progress)


def step_of(values: Any) -> Step:
    """Return a step of a task. Raises one of UNREADABLE."""
    step = Step._make(values)
    check_step(step)
    return step
