"""The layout of canvases as graphs: messages, and what each of them waits for.

Parts that are still to be laid out are on a stack of our own, not on Python's, so the length and
the depth of a canvas have no limit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..execution.context import current_run
from ..model.graph import ALONE, Graph, Group, Place
from ..model.message import Message, new_id
from ..model.options import options_of
from ..result import AsyncResult
from ..result.app import App
from ..result.group_result import ACCUMULATE
from ..result.waiting import leaves_before
from ..sending.eta import due_at
from ..sending.options import LINKS, NO_OPTIONS, Named, Options, as_json, is_linked
from ..sending.overrides import collect
from ..sending.unique import is_keyed, with_key
from . import Signature, chain, chord, group
from .again import free_ids, known_ids, taken
from .builtins import CALL_ERRBACK
from .chain import last_of
from .compound import Compound
from .members import Members
from .signature import as_link
from .values import as_list

_SEVERAL = ("chain", "group", "chord", "chunks")
_OF_THE_TRANSACTION = ("durable", "retry", "retry_policy")


class _Part(NamedTuple):
    """A part of a canvas that is to be laid out, and its place."""

    call: Any  # a Signature
    place: Place  # of what runs first in it; its `group` is that of what runs last
    awaited: bool = False  # something waits for its end
    chord: str | None = None  # the id of the body that waits for the group which it is in
    of_body: bool = False  # it ends the body of a chord, which fails when the header does
    group: str | None = None  # the id of its group, also when nothing waits for that group
    position: int = 0


class Layout:
    """The layout of canvases as one graph.

    They have to be prepared (see `Compound.prepared`) and frozen. `shared`: options that all
    messages get. `passed`: the id of a call that a user's own `apply_async` has passed on already.
    """

    def __init__(
        self, app: App, shared: Options = NO_OPTIONS, *, passed: str | None = None
    ) -> None:
        self._app = app
        self._tasks = app.tasks
        self._shared = shared
        self._passed = passed
        self._root: dict[str, str] = {}
        self._messages: list[Message] = []
        self._places: list[Place] = []
        self._groups: list[Group] = []
        self._parts: list[_Part] = []
        self._members = Members(app, shared)
        self._ids: set[str | None] = set()
        self._has_root = "root_id" in shared or current_run() is not None

    @property
    def graph(self) -> Graph:
        """Return the graph of all canvases that were added."""
        return Graph(tuple(self._messages), tuple(self._places), tuple(self._groups))

    def add(self, call: Signature, place: Place = ALONE) -> None:
        """Lay out `call`; `place`: what it waits for, and the group that it is a member of."""
        self._root = {}
        self._parts.append(_Part(call, place, group=place.group, position=place.position))
        while self._parts:
            part = self._parts.pop()
            _LAYOUTS.get(type(part.call), Layout._single)(self, part)
        # Only now it is known which task is the root.
        for n, each in enumerate(self._groups):
            if each.options is None:
                options = self._members.options_of(each.id, self._root)
                self._groups[n] = each._replace(options=options)

    # kinds of canvases

    def _chain(self, part: _Part) -> None:
        *earlier, last = part.call.tasks
        parts = []
        place = part.place._replace(group=None, position=0)
        for step in earlier:
            parts.append(_Part(step, place, awaited=True))
            place = _place_after(step)
        place = place._replace(group=part.place.group, position=part.place.position)
        self._push([*parts, part._replace(call=last, place=place)])

    def _group(self, part: _Part) -> None:
        call, place = part.call, part.place
        members = call.tasks
        own = None
        if place.group is not None and not members:
            self._parts.append(part._replace(call=self._empty_list_task(), place=place))
            return
        if part.awaited or place.group is not None:
            own = call.id
            self._groups.append(Group(own, place.group, place.position, call.forgiving))
            self._members.add_group(own, part.chord)
        within = place._replace(group=own, followed=False)
        if self._members.are_plain(within, members):
            self._plain_members(members, within)
            return
        self._push(
            _Part(
                member,
                within._replace(position=n),
                chord=part.chord,
                of_body=part.of_body,
                group=call.id,
                position=n,
            )
            for n, member in enumerate(members)
        )

    def _chord(self, part: _Part) -> None:
        header, body = part.call.header, part.call.body
        if not header.tasks:  # then the body runs at once
            body.add_args(([],), {})
            self._parts.append(part._replace(call=body, place=part.place._replace(takes=False)))
            return
        before = part.place._replace(group=None, position=0)
        after = _place_after(header)._replace(group=part.place.group, position=part.place.position)
        first = _Part(header, before, awaited=True, chord=_end(body)[0])
        self._push([first, part._replace(call=body, place=after, of_body=True)])

    def _plain_members(self, members: Iterable[Signature], within: Place) -> None:
        waits, barrier, on_failure, takes, group, *_ = within
        for n, call in enumerate(members):
            taking = takes and not call["immutable"]
            message = self._members.plain_message(call, takes=taking)
            self._add_task(message, Place(waits, barrier, on_failure, taking, group, n))

    def _single(self, part: _Part) -> None:
        call, place = part.call, part.place
        shares = self._members.shares(place, call)
        if shares:
            options = dict(self._members.own_options(call))
        else:
            call, options = self._through_override(call, self._options(part))
        links = [options.pop(name, None) for name in LINKS]
        awaited = part.awaited or bool(links[0] or links[1])
        takes = place.takes and not call.immutable
        if awaited or takes != place.takes:
            place = place._replace(takes=takes, followed=awaited)
        place, options = _delayed(place, options)
        self._add_task(self._message(call, place, options, lineage=not shares), place)
        if awaited:
            id = self._messages[-1].id
            self._link(id, links[0])
            self._link_errors(id, links[1], 2 if part.of_body else 1)

    def _add_task(self, message: Message, place: Place) -> None:
        self._messages.append(message)
        self._places.append(place)
        self._ids.add(message.id)
        if not self._has_root:
            self._root = self._root or {"root_id": message.id}

    # callbacks and errbacks

    def _link(self, id: str, callbacks: Any) -> None:
        place = Place(waits=id, takes=True)
        self._push(_Part(self._frozen(each), place) for each in as_list(callbacks))

    def _link_errors(self, id: str, errbacks: Any, on_failure: int) -> None:
        for each in as_list(errbacks):
            call = self._frozen(each)
            if is_several(call):
                # A task that waits for a failure which does not come is deleted. That is done for
                # a single task only, so a single task waits, and sends the rest.
                call = Signature(CALL_ERRBACK, (dict(call),), task_id=new_id(), app=self._app)
            place = Place(waits=id, on_failure=on_failure, takes=not call.immutable)
            options = {**call.options, **self._shared, **self._root}
            call, options = self._through_override(call, options)
            place, options = _delayed(place, options)
            options["unique"] = False  # each failure is to be told of
            message = self._message(call, place, options, check=False)
            if call.immutable:
                message = _with(message, {"immutable": True})
            self._messages.append(message)
            self._places.append(place)

    def _frozen(self, linked: Any) -> Signature:
        """Return a frozen copy of a callback or errback, with ids that no other task here has."""
        call = _prepared(as_link(linked, self._app))
        for leaf in call.leaves():
            if leaf.id in self._ids or leaf.was_sent:
                leaf.options.pop("task_id", None)
        free_ids(self._app, call)
        call.freeze()
        self._ids.update(leaf.id for leaf in call.leaves())
        return call

    # messages

    def _through_override(
        self, call: Signature, options: dict[str, Any]
    ) -> tuple[Signature, dict[str, Any]]:
        """Return a call and its options as the `apply_async` or `send_task` of a user's class
        passes them on."""
        override = self._app.override_for(call.task)
        if override is None or call.id is None or call.id == self._passed:
            return call, options
        args, kwargs, options = collect(
            call.task, call.id, override, call.args, call.kwargs, options
        )
        return call.replace(args, kwargs), options

    def _options(self, part: _Part) -> dict[str, Any]:
        options = {**part.call.options, **self._shared, **self._root}
        if part.group is not None:
            options["group_id"], options["group_index"] = part.group, part.position
        if part.chord is not None:
            options["chord"] = part.chord
        return options

    def _message(
        self,
        call: Signature,
        place: Place,
        options: Options,
        *,
        check: bool = True,
        lineage: bool = True,
    ) -> Message:
        task = self._tasks.get(call.task)
        args, kwargs = call.args, call.kwargs
        if task is not None and check:
            task.check((None, *args) if place.takes else args, kwargs)
        known = task or Named(call.task)
        if place.waits is not None and is_keyed(known, options):
            options = with_key(known, args, kwargs, options, step=True, takes=place.takes)
        message: Message = self._app.producer.message(known, args, kwargs, options, lineage=lineage)
        return message

    def _empty_list_task(self) -> Signature:
        """Return a task whose value is the empty list."""
        return Signature(ACCUMULATE, ([],), immutable=True, task_id=new_id(), app=self._app)

    def _push(self, parts: Iterable[_Part]) -> None:
        self._parts += reversed(list(parts))


_LAYOUTS: Mapping[type, Any] = {
    chain: Layout._chain,
    group: Layout._group,
    chord: Layout._chord,
}


def send(
    app: App,
    calls: Sequence[Signature],
    results: Iterable[Any],
    place: Place = ALONE,
    *,
    passed: str | None = None,
) -> None:
    """Store frozen canvases, whose results are `results`, in one transaction.

    `place`: what they wait for, or the group that they become members of. `passed`: the id of a
    call that a user's own `apply_async` has passed on already.
    """
    layout = Layout(app, passed=passed)
    for call in calls:
        layout.add(call, place)
    graph = layout.graph
    if not graph.messages:
        return
    answers = app.producer.publish_graph(graph, _of_the_transaction(calls))
    if answers:
        for leaf in _all_leaves(results):
            leaf.duplicate = leaf.id in answers
    ignored = {message.id for message in graph.messages if message.ignore_result}
    if ignored:
        for leaf in _all_leaves(results):
            leaf.ignored = leaf.id in ignored


def send_linked(app: App, call: Signature) -> AsyncResult[Any]:
    """Send a single call with its callbacks and errbacks; return its result.

    A user's own `apply_async` or `send_task` was called for it, but not for those. A task of the
    id that it was given is replaced if it has finished, and kept if it has not.
    """
    given = call.id
    result = call.freeze()
    if given is not None and taken(app, [given]):
        result.duplicate = True
    else:
        send(app, [call], [result], passed=result.id)
    return result


def send_copies(app: App, calls: Iterable[Signature], options: Options = NO_OPTIONS) -> list[Any]:
    """Store copies of `calls`, single ones and canvases, in one transaction; return the results.

    Single ones under the id of a task that has not finished are not sent: they are duplicates.
    """
    copies = [_prepared(call.own_copy().set(**options)) for call in calls]
    duplicates = duplicates_among(app, [_given_id(copy) for copy in copies])
    results = []
    for copy, duplicate in zip(copies, duplicates, strict=True):
        copy.own_app = copy.own_app or app
        if isinstance(copy, Compound):
            free_ids(app, copy)
        results.append(copy.freeze())
        if duplicate:
            results[-1].duplicate = True
    sent = [n for n, duplicate in enumerate(duplicates) if not duplicate]
    send(app, [copies[n] for n in sent], [results[n] for n in sent])
    return results


def _given_id(call: Signature) -> str | None:
    return None if isinstance(call, Compound) else call.id


def duplicates_among(app: App, ids: Sequence[str | None]) -> list[bool]:
    """Return for each of the ids that were given to calls (None: a new one) whether the call is
    not to be sent, because a task of its id is in the store, or among those before it.

    Also one that has finished: so many calls can be sent again, after a crash in the middle of what
    sends them, and none runs twice.
    """
    given = [id for id in ids if id is not None]
    used = set(known_ids(app, list(dict.fromkeys(given))))
    found = []
    for id in ids:
        found.append(id in used)
        if id is not None:
            used.add(id)
    return found


def is_several(call: Signature) -> bool:
    """Return whether a call makes more than one task."""
    # By key, which is quicker than by attribute: `enqueue_many` asks this for each call.
    options = call["options"]
    return call["subtask_type"] in _SEVERAL or bool(options and is_linked(options))


class Replacement(NamedTuple):
    """The tasks that do the work of a replaced task."""

    message: Message  # of the one that ends last, which has the id of the replaced task
    place: Place  # of that one
    rest: Graph


def replacement(app: App, sig: Signature, id: str, shared: Options, own: Options) -> Replacement:
    """Return the tasks of `sig` that do the work of the task `id`.

    All their messages get the options `shared`, and the last one gets `own` as well.
    """
    single = not isinstance(last_of(sig), group)
    call = _prepared(sig if single else sig | Signature(ACCUMULATE, app=app))
    free_ids(app, call)
    call.freeze(id)
    layout = Layout(app, shared)
    layout.add(call)
    messages, places, groups = layout.graph
    at = next(n for n, message in enumerate(messages) if message.id == id)
    rest = Graph(messages[:at] + messages[at + 1 :], places[:at] + places[at + 1 :], groups)
    return Replacement(_with(messages[at], own), places[at], rest)


class Gathering(NamedTuple):
    """Tasks for which a running task waits, and their results."""

    graph: Graph
    place: Place  # of the task that waits
    results: list[Any]


def gathering(app: App, calls: Iterable[Signature], shared: Options) -> Gathering:
    """Return the layout of `calls`, for which the running task is to wait.

    Their messages get the options `shared`. The task that waits runs also when some of them fail.
    """
    id = new_id()
    layout = Layout(app, shared)
    results = []
    for n, given in enumerate(calls):
        call = _prepared(given.own_copy())
        call.own_app = call.own_app or app
        free_ids(app, call)
        results.append(call.freeze())
        layout.add(call, Place(group=id, position=n))
    messages, places, groups = layout.graph
    graph = Graph(messages, places, (*groups, Group(id, forgiving=True)))
    return Gathering(graph, Place(waits=id, barrier=True), results)


def _prepared(call: Signature) -> Signature:
    """Return a copy of `call` in which arguments and options are where they belong."""
    step = call.as_step()
    return step.prepared() if isinstance(step, Compound) else step


def _delayed(place: Place, options: dict[str, Any]) -> tuple[Place, dict[str, Any]]:
    """Return `place` and `options` with the countdown as a delay, if the task waits for another:
    then the countdown begins when that one has ended."""
    if place.waits is None or options.get("countdown") is None:
        return place, options
    delay = due_at(options["countdown"], None, 0.0)
    return place._replace(delay=delay), {**options, "countdown": None}


def _place_after(call: Signature) -> Place:
    """Return the place of what follows on `call`."""
    id, barrier = _end(call)
    return Place(waits=id, barrier=barrier, takes=True)


def _end(call: Signature) -> tuple[str | None, bool]:
    """Return the id of the task or group with which `call` ends, and whether it is a group."""
    last = last_of(call)
    return last.id, isinstance(last, group)


def _all_leaves(results: Iterable[Any]) -> Iterator[Any]:
    for result in results:
        if result is not None:
            yield from leaves_before([result])
            yield from result.leaves()


def _with(message: Message, options: Options) -> Message:
    """Return `message` with `options` added to those that it stores; None takes one away."""
    every = {**options_of(message), **options}
    return message._replace(options=as_json({k: v for k, v in every.items() if v is not None}))


def _of_the_transaction(calls: Sequence[Signature]) -> Options:
    first = next((leaf for call in calls for leaf in call.leaves()), None)
    options = NO_OPTIONS if first is None else first.options
    return {name: options[name] for name in _OF_THE_TRANSACTION if name in options}
