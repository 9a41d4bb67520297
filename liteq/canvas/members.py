"""What the members of a group have in common: options, and nearly the whole message.

A group of ten thousand would store the same ids ten thousand times. So they are stored with the
group, and a worker adds them to the options of a member when it runs (see `Member`).
"""

from collections.abc import Mapping
from typing import Any

from ..execution.context import current_run
from ..model.graph import Place
from ..model.message import Message
from ..result.app import App
from ..sending.options import Named, Options, as_json, check_name
from ..serializers import Serializer, get
from ..signals import after_task_publish, before_task_publish
from .signature import Signature

_LINEAGE = ("root_id", "parent_id")
_ONLY_ID = {"task_id"}


class Members:
    """The members of the groups of one layout. `shared`: options that all messages get."""

    def __init__(self, app: App, shared: Options) -> None:
        self._app = app
        self._tasks = app.tasks
        self._sender = current_run()
        self._lineage = {name: shared[name] for name in _LINEAGE if name in shared}
        self._others = {name: shared[name] for name in shared if name not in _LINEAGE}
        self._chords: dict[str | None, str | None] = {}
        self._first: dict[str, tuple[Message, Serializer]] = {}  # plain message, by task
        # Receivers of these signals see the options of each task.
        self._share = not (before_task_publish.receivers or after_task_publish.receivers)

    def add_group(self, id: str, chord: str | None) -> None:
        """Let the members of a group share options. `chord`: the id of the body waiting for it."""
        if self._share:
            self._chords[id] = chord

    def shares(self, place: Place, call: Signature) -> bool:
        """Return whether a call at `place` has the options of its group.

        A user's own `apply_async` is given all options, and may change them.
        """
        return place.group in self._chords and self._app.override_for(call["task"]) is None

    def own_options(self, call: Signature) -> Options:
        """Return the options of a call that the group does not have."""
        return {**call.options, **self._others} if self._others else call.options

    def options_of(self, group: str, root: Mapping[str, str]) -> str | None:
        """Return the options that all members of a group have, as JSON; None if they share none."""
        if group not in self._chords:
            return None
        options: dict[str, Any] = {**root}
        if self._sender is not None:
            options |= {"root_id": self._sender.root_id, "parent_id": self._sender.id}
        options |= self._lineage
        if self._chords[group] is not None:
            options["chord"] = self._chords[group]
        return as_json(options)

    def are_plain(self, place: Place, calls: list[Signature]) -> bool:
        """Return whether `calls`, the members at `place`, differ in their arguments only."""
        if self._others or self._app.conf.task_routes is not None:
            return False
        names = {call["task"] for call in calls if type(call) is Signature}
        if any(getattr(self._tasks.get(name), "unique", None) is not None for name in names):
            return False  # each has a key of its own
        return all(
            type(call) is Signature
            and call["options"].keys() == _ONLY_ID
            and self.shares(place, call)
            for call in calls
        )

    def plain_message(self, call: Signature, *, takes: bool) -> Message:
        """Return the message of a plain member, for less than half of what another one costs.

        `takes`: the result of another task comes before its arguments.
        """
        name, args, kwargs = call["task"], call["args"], call["kwargs"]
        task = self._tasks.get(name)
        if task is not None:
            task.check((None, *args) if takes else args, kwargs)
        producer, known = self._app.producer, self._first.get(name)
        if known is None:
            options = call["options"]
            made: Message = producer.message(
                task or Named(name), args, kwargs, options, lineage=False
            )
            self._first[name] = made, get(made.serializer)
            return made
        first, serializer = known
        payload = producer.encode(task or Named(name), args, kwargs, serializer)
        id = check_name("task id", call["options"]["task_id"])
        return Message(id, first.task, payload, *first[3:])
