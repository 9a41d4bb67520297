"""Sending tasks of which some have unique keys."""

from collections.abc import Iterable, Sequence

from ...exceptions import DuplicateTask
from ...model.graph import ALONE, Graph
from ...model.message import Message
from ...model.unique import RAISE, key_of
from ...support.clock import Clock
from ..uniquekeys import Answers, refusal
from .arguments import chunks, graph_args, message_args
from .bulks import graph_parts, is_large, message_parts, send_bulk
from .replies import fields_of, text_of, texts_of
from .server import Server
from .signing import Signing


class KeyedSends:
    """Sends to `server` of tasks of which some have unique keys."""

    def __init__(self, server: Server, clock: Clock, signing: Signing) -> None:
        self._server = server
        self._clock = clock
        self._signing = signing

    def enqueue(self, messages: Sequence[Message]) -> Answers:
        """Store messages; return the ids of the tasks that answer for those of them that are not
        run, by the ids of these. Raises DuplicateTask."""
        if is_large(messages):
            self._check(messages)
            signed = map(self._signing.sign_message, messages)
            return self._send_bulk(message_parts(signed, keyed=True), len(messages))
        return self._send(Graph(tuple(messages), (ALONE,) * len(messages)), "")

    def enqueue_graph(self, graph: Graph) -> Answers:
        """Store a workflow, as `enqueue` stores messages."""
        messages, first = graph.messages, graph.messages[0].id
        if is_large(messages):
            pairs = zip(messages, graph.places, strict=True)
            self._check([message for message, place in pairs if place.waits is None])
            parts = graph_parts(self._signing.sign_graph(graph))
            return self._send_bulk(parts, len(messages), first)
        return self._send(graph, first)

    def enqueue_or_replace(self, message: Message, sent: float) -> bool:
        """Store `message` in place of a finished task of its id; return whether it is to run.

        Raises DuplicateTask.
        """
        args = message_args(self._signing.sign_message(message))
        runs, holder = self._server.run_replicated("replace_unique", sent, message.id, *args)
        if holder is not None:
            raise _refusal(message, text_of(holder))
        return bool(runs)

    def _send(self, graph: Graph, first: str) -> Answers:
        args = graph_args(self._signing.sign_graph(graph))
        reply = self._server.run_replicated("enqueue_unique", self._clock(), first, *args)
        refused, holder, answers = reply
        if refused is not None:
            messages = {message.id: message for message in reversed(graph.messages)}
            raise _refusal(messages[refused.decode()], text_of(holder))
        texts = texts_of(answers)
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def _check(self, messages: Sequence[Message]) -> None:
        """Refuse messages that are too many for one script, before any of them is stored.

        A key that is taken between this and the storing is not seen: that message is not run.
        """
        if all((key := key_of(each)) is None or key.then != RAISE for each in messages):
            return
        taken: dict[str, str] = {}
        first = {message.id: message for message in reversed(messages)}
        for part in chunks(list(reversed(first.values()))):
            keys = [(message, key) for message in part if (key := key_of(message)) is not None]
            wanted = [key.key for _, key in keys]
            holders = self._server.run("key_holders", self._clock(), *wanted)
            for (message, key), found in zip(keys, holders, strict=True):
                holder = taken.get(key.key) if found is None else text_of(found)
                if key.then == RAISE and holder is not None and holder != message.id:
                    raise _refusal(message, holder)
                taken.setdefault(key.key, holder or message.id)

    def _send_bulk(self, parts: Iterable[bytes], tasks: int, first: str = "") -> Answers:
        bulk = send_bulk(self._server, self._clock, parts, tasks, first)
        reply = self._server.execute("HGETALL", f"{self._server.location.prefix}:duplicates:{bulk}")
        fields = reply if isinstance(reply, dict) else fields_of(reply)
        return {text_of(id): text_of(holder) for id, holder in fields.items()}


def _refusal(message: Message, holder: str) -> DuplicateTask:
    key = key_of(message)
    assert key is not None
    return refusal(message, key, holder)
