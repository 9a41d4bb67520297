"""The verbs of the port by which tasks are stored."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..model.graph import Graph
from ..model.message import Message
from .uniquekeys import Answers


class Sending(ABC):
    """The part of a broker that has these verbs."""

    @abstractmethod
    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> Answers:
        """Store all `messages`, or none. Known ids are left as they are.

        One whose unique key another task has is not stored, and that task may get its arguments,
        see uniquekeys.py. Returns the ids of those tasks by the ids of these messages.

        Others may see thousands come one by one, but none before all are certain to be stored.
        With `durable` they survive a power cut, whatever the durability of the store.

        Raises DuplicateTask, and stores none, if one says so of its key. Raises BrokerRefused, and
        stores none, if one of them can never be stored. After a BrokerUnavailable the same call may
        be made again: what was stored is known.
        """

    @abstractmethod
    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        """Store `message` as sent at the moment `sent`; a finished task of its id is replaced.

        Return False, and store nothing, if a task of that id is kept: it has not ended, or others
        need its result. Return False as well if another task has its unique key: then it is stored,
        to end as that one does. The same call made twice is one. Otherwise as `enqueue`.
        """

    @abstractmethod
    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> Answers:
        """Store a whole workflow, or nothing; nothing if the id of its first message is known.

        What is said of `enqueue` holds here; what waits for a task misses no end of one. All tasks
        keep their ids. One that asks for its unique key when it could run, and does not get it,
        is not run: it ends as the task does that has the key, with the same result.
        """
