"""What only the memory broker can get wrong."""

import pytest

from liteq.brokers.base import Claim, Graph, Message, Phase, Place, Settlement
from liteq.brokers.memory import MemoryBroker


def test_a_transaction_that_is_undone_propagates_no_ends() -> None:
    broker = MemoryBroker()
    first, second, alone = (Message(id, "add", b"", "json", "celery") for id in "abc")
    places = (Place(followed=True), Place(waits="a"))
    broker.enqueue_graph(Graph((first, second), places))
    broker.enqueue([alone])
    deliveries = broker.claim(Claim(broker.register("w", "{}"), ("celery",), 5))
    ends = [Settlement(each.receipt, Phase.SUCCEEDED, 1.0, tied=True) for each in deliveries]

    with pytest.raises(TypeError):
        broker.settle([ends[0], ends[1]._replace(result="no bytes")])  # type: ignore[arg-type]
    broker.promote()

    records = [record for record in broker.fetch(["a", "b", "c"]) if record]
    assert [each.phase for each in records] == [Phase.RUNNING, Phase.WAITING, Phase.RUNNING]
