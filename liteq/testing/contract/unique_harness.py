"""The base of the tests of unique keys."""

import json
from typing import Any

from ...exceptions import DuplicateTask
from ...model.graph import Graph
from ...model.message import Delivery, Message
from ...model.outcome import Settlement
from ...model.unique import UniqueKey
from ...states import Phase
from .workflow_harness import WorkflowHarness


class UniqueHarness(WorkflowHarness):
    """A harness that sends messages with keys."""

    def keyed(
        self,
        id: str = "a",
        key: str = "k",
        until: str | float = "finished",
        then: str = "skip",
        latest: float | None = None,
        **fields: Any,
    ) -> Message:
        """Return a message with a key."""
        options = {"unique": UniqueKey(f"task {key}", until, then, latest).plain()}
        return self.message(id, options=json.dumps(options), **fields)

    def answer(self, id: str, *args: Any, **fields: Any) -> str | None:
        """Send a message with a key; return the id of the task that answers for it, if any."""
        message = self.keyed(id, *args, **fields)
        answers = self.broker.enqueue([message])
        assert set(answers) <= {id}
        assert bool(answers) is (self.known(id) == [])
        return answers.get(id)

    def refusal_of(self, *messages: Message, graph: Graph | None = None) -> DuplicateTask | None:
        """Send messages, or a workflow; return the error by which they are refused, if they are."""
        try:
            if graph is not None:
                self.broker.enqueue_graph(graph)
            else:
                self.broker.enqueue(messages)
        except DuplicateTask as exc:
            return exc
        return None

    def is_free(self, key: str = "k") -> bool:
        """Return whether a key is free; it sends a task of it to find out, which is dropped."""
        if self.answer("probe", key, queue="probe") is not None:
            return False
        assert self.broker.purge(["probe"]) == 1
        self.broker.forget(["probe"])
        return True

    def later(self, delivery: Delivery, seconds: float = 60.0) -> Settlement:
        """Return the settlement of a task that is to be tried again later."""
        return self.retry(delivery, self.clock() + seconds)

    def phases(self, *ids: str) -> list[Phase]:
        """Return the phases of tasks."""
        return [self.phase(id) for id in ids]
