"""Calls of a broker as text, to be kept in a table of the application until it is relayed.

Any program that can write that table may have made them, so they are checked when they are read.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..brokers.base import Broker
from ..exceptions import InvalidTaskError
from ..model.checks import UNREADABLE, check_graph, check_storable
from ..model.graph import ALONE, Graph, Place
from ..model.message import Message
from ..model.options import options_of
from ..model.unique import RAISE, SKIP, has_key, key_of
from ..sending.blocks import Outlet


class Call(NamedTuple):
    """One call that stores new tasks."""

    graph: Graph
    sent: float | None = None  # of `enqueue_or_replace`; epoch seconds

    @classmethod
    def of_messages(cls, messages: Sequence[Message], sent: float | None = None) -> "Call":
        """Return the call that stores `messages`."""
        return cls(Graph(tuple(messages), (ALONE,) * len(messages)), sent)

    @classmethod
    def of_graph(cls, graph: Graph) -> "Call":
        """Return the call that stores a workflow once the caller does not wait any more."""
        return cls(graph._replace(messages=tuple(map(_unrefused, graph.messages))))

    @classmethod
    def of_later(cls, messages: Sequence[Message], sent: float | None = None) -> "list[Call]":
        """Return the calls that store `messages` once the caller does not wait any more.

        Nobody can be told then that another task has a unique key: tasks with keys keep their ids,
        and end as that one, also those that are to be refused.
        """
        keyed = [_unrefused(message) for message in messages if has_key(message)]
        if sent is not None:
            return [cls.of_messages(keyed or messages, sent)]
        plain = [message for message in messages if not has_key(message)]
        alone = Place(followed=True)
        return [
            *([cls.of_messages(plain)] if plain else []),
            *(cls(Graph((message,), (alone,))) for message in keyed),
        ]

    def make(self, broker: Broker | Outlet) -> None:
        """Make the call, to last. It may be made twice. Raises BrokerError."""
        graph = self.graph
        if self.sent is not None:
            broker.enqueue_or_replace(graph.messages[0], self.sent, durable=True)
        elif not graph.groups and all(place == ALONE for place in graph.places):
            broker.enqueue(graph.messages, durable=True)
        else:
            broker.enqueue_graph(graph, durable=True)


def _unrefused(message: Message) -> Message:
    """Return a message with a key that is not to be refused because of it."""
    key = key_of(message)
    if key is None or key.then != RAISE:
        return message
    options = {**options_of(message), "unique": key._replace(then=SKIP).plain()}
    return message._replace(options=json.dumps(options, separators=(",", ":")))


def encoded(call: Call) -> str:
    """Return `call` as text."""
    messages, places, groups = call.graph.to_tuples()
    plain = [[*each[:2], b64encode(each[2]).decode(), *each[3:]] for each in messages]
    return json.dumps([plain, places, groups, call.sent], separators=(",", ":"))


def decoded(text: Any) -> Call:
    """Return the call that `encoded` made the text of. Raises InvalidTaskError if none."""
    try:
        messages, places, groups, sent = json.loads(text)
        raw = [[*each[:2], b64decode(each[2], validate=True), *each[3:]] for each in messages]
        call = Call(Graph.from_tuples((raw, places, groups)), sent)
        _check(call)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"it is no call of liteq: {exc}") from exc
    return call


def _check(call: Call) -> None:
    check_graph(call.graph)
    for message in call.graph.messages:
        check_storable(Message._fields, message)
    if not call.graph.messages:
        raise InvalidTaskError("it has no task")
    if call.sent is not None and type(call.sent) is not float:
        raise InvalidTaskError("its time is no number")
