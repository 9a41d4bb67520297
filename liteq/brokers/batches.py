"""Batches of tasks that are looked for and changed, so that no transaction is long."""

from collections.abc import Iterator, Sequence

from ..model.search import Search
from ..states import Phase
from .base import Broker

_BATCH = 1000  # tasks that are listed, and changed, in one transaction: some 10 ms


def id_batches(broker: Broker, phases: Sequence[Phase], search: Search) -> Iterator[list[str]]:
    """Yield the ids of the tasks in `phases` that `search` looks for, in batches, in its order."""
    while found := broker.listing(phases, _BATCH, search):
        yield [record.message.id for record in found]
        search = search._replace(beyond=found[-1].seq)
