"""The writer: what is on its way is written in order, and what fails is kept."""

import logging
from collections.abc import Iterator, Sequence

import pytest

from liteq.brokers import connect
from liteq.brokers.backoff import StoreBackoff
from liteq.brokers.base import Claim, ReadSettled, Settled
from liteq.brokers.memory import MemoryBroker
from liteq.exceptions import BrokerRefused, BrokerUnavailable
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Kind, Outcome, Settlement
from liteq.model.output import Output, encode_lines
from liteq.pools.base import RunnerSpec
from liteq.pools.output import OutputUpdate
from liteq.pools.solo import SoloPool
from liteq.states import Phase
from liteq.worker.step_requests import StepRequests
from liteq.worker.writer import Writer


class Server(MemoryBroker):
    """A store that runs what it was sent when its reply is read, and may fail then."""

    failing: Exception | None = None  # raised once
    too_large: Settlement | None = None  # is refused

    def start_settle(
        self, settlements: Sequence[Settlement], claim: Claim | None = None
    ) -> ReadSettled:
        sent = list(settlements)
        return lambda: self.settle(sent, claim)

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        if self.too_large in settlements:
            raise BrokerRefused("too large")
        failing, self.failing = self.failing, None
        if failing is not None:
            raise failing
        return super().settle(settlements, claim)


@pytest.fixture
def broker() -> Iterator[Server]:
    memory = connect("memory://")
    broker = Server(memory.clock)
    broker.enqueue([Message(id, "add", b"[[], {}]", "json", "celery") for id in "abcd"])
    yield broker
    broker.close()


@pytest.fixture
def worker(broker: Server) -> int:
    return broker.register("worker", "{}")


@pytest.fixture
def writer(broker: Server) -> Writer:
    store = StoreBackoff(logging.getLogger("test"))
    spec = RunnerSpec("", "", {}, lambda report, outputs: lambda delivery: Outcome(Kind.SUCCEEDED))
    steps = StepRequests(SoloPool(1, spec))
    return Writer(broker, store, steps, lambda settlement, exc: fail(settlement))


def fail(settlement: Settlement) -> Settlement:
    return Settlement(settlement.receipt, Phase.FAILED, 1.0)


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


def claim(broker: Server, worker: int, limit: int = 1) -> list[Delivery]:
    return broker.claim(Claim(worker, ("celery",), limit))


def phases(broker: Server, ids: str) -> list[Phase]:
    return [record.phase for record in broker.fetch(list(ids)) if record]


def test_what_was_sent_is_written_with_what_it_claims(
    broker: Server, worker: int, writer: Writer
) -> None:
    writer.settlements += map(success, claim(broker, worker))

    assert writer.start(Claim(worker, ("celery",), 2))
    assert writer.pending
    assert not writer.idle
    written = writer.receive()

    assert written is not None
    assert [each.message.id for each in written.claimed or []] == ["b", "c"]
    assert written.may_claim_more
    assert writer.idle
    assert writer.receive() is None


def test_what_could_not_be_written_is_written_before_what_came_later(
    broker: Server, worker: int, writer: Writer
) -> None:
    first, second = map(success, claim(broker, worker, 2))
    writer.settlements.append(first)
    writer.start(Claim(worker, ("celery",), 1))
    writer.settlements.append(second)
    broker.failing = BrokerUnavailable("away")

    written = writer.receive()

    assert written is not None
    assert written.claimed is None
    assert written.may_claim_more
    assert writer.settlements == [first, second]
    writer.write(None)
    assert phases(broker, "ab") == [Phase.SUCCEEDED] * 2


def test_of_what_was_sent_only_the_refused_task_fails(
    broker: Server, worker: int, writer: Writer
) -> None:
    first, second, third = map(success, claim(broker, worker, 3))
    writer.settlements += [first, second]
    writer.start(None)
    writer.settlements.append(third)
    broker.too_large = first

    writer.receive()

    assert phases(broker, "abc") == [Phase.FAILED, Phase.SUCCEEDED, Phase.RUNNING]
    assert writer.settlements == [third]


def test_the_last_write_includes_what_is_on_its_way(
    broker: Server, worker: int, writer: Writer
) -> None:
    first, second = map(success, claim(broker, worker, 2))
    writer.settlements.append(first)
    writer.start(Claim(worker, ("celery",), 1))
    writer.settlements.append(second)

    claimed = writer.close()

    assert [each.message.id for each in claimed] == ["c"]
    assert phases(broker, "ab") == [Phase.SUCCEEDED] * 2


def test_a_claim_that_was_filled_leaves_perhaps_more(
    broker: Server, worker: int, writer: Writer
) -> None:
    assert writer.write(Claim(worker, ("celery",), 3)).may_claim_more
    assert not writer.write(Claim(worker, ("celery",), 3)).may_claim_more


# output


def printed(delivery: Delivery, *texts: str, first: int = 1, keep_from: int = 1) -> OutputUpdate:
    lines = encode_lines([(n, 1.0, None, text) for n, text in enumerate(texts, first)])
    last = first + len(texts) - 1
    return OutputUpdate(delivery, Output(1, last, keep_from, lines, begins=first == 1))


def kept(broker: Server, id: str) -> list[str]:
    return [line.text for line in broker.output(id)]


def test_output_is_written_before_the_end_of_its_task(
    broker: Server, worker: int, writer: Writer
) -> None:
    a, b = claim(broker, worker, 2)
    writer.outputs.add([printed(a, "of a"), printed(b, "of b")])
    writer.add([success(a)], [a])

    assert [each.output is None for each in writer.settlements] == [False, True]
    writer.write(None)
    assert (phases(broker, "ab"), kept(broker, "a")) == ([Phase.SUCCEEDED, Phase.RUNNING], ["of a"])
    assert kept(broker, "b") == []
    writer.add_outputs()
    writer.write(None)
    assert kept(broker, "b") == ["of b"]


def test_while_the_store_is_away_only_the_last_lines_of_a_run_wait(
    broker: Server, worker: int, writer: Writer
) -> None:
    (a,) = claim(broker, worker)
    for n in range(1, 1001):
        writer.outputs.add([printed(a, f"line {n}", first=n, keep_from=max(1, n - 9))])
    writer.add_outputs()

    outputs = [settlement.output for settlement in writer.settlements if settlement.output]
    assert [output.last for output in outputs] == [*range(991, 1001)]
    assert [output.begins for output in outputs] == [True] + [False] * 9
    writer.write(None)
    assert kept(broker, "a") == [f"line {n}" for n in range(991, 1001)]


def test_the_last_write_includes_output(broker: Server, worker: int, writer: Writer) -> None:
    (a,) = claim(broker, worker)
    writer.outputs.add([printed(a, "at last")])

    writer.close()

    assert (phases(broker, "a"), kept(broker, "a")) == ([Phase.RUNNING], ["at last"])


def test_of_output_whose_claim_was_lost_nothing_is_said(
    broker: Server, worker: int, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = claim(broker, worker, 2)
    broker.release([a.receipt, b.receipt])
    writer.outputs.add([printed(a, "late"), printed(b, "late")])
    writer.add([success(b)], [b])
    writer.add_outputs()
    writer.write(None)

    assert writer.idle
    assert [record.getMessage() for record in caplog.records] == [
        "claim lost; result dropped: task b"
    ]


def test_output_that_the_store_refuses_for_good_costs_nothing_else(
    broker: Server, worker: int, writer: Writer
) -> None:
    (a,) = claim(broker, worker)
    writer.outputs.add([printed(a, "too much")])
    writer.add([success(a)], [a])
    broker.too_large = writer.settlements[0]
    writer.write(None)

    assert (phases(broker, "a"), kept(broker, "a")) == ([Phase.SUCCEEDED], [])
    assert writer.idle
