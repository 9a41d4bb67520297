"""docs/internals/states.md is true: held to the memory broker, to `decide` and to liteq.states."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple
from unittest import SkipTest

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from liteq.brokers.base import Broker, Claim, Settled
from liteq.brokers.memory import MemoryBroker
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Delivery, Receipt
from liteq.model.outcome import Kind, Outcome, Policy, Settlement
from liteq.model.step import Event
from liteq.states import IGNORED, Phase, public_state
from liteq.testing import BrokerContract, ManualClock
from liteq.worker.decide import decide
from tests.contract.test_machine import Brokers

PAGE = Path(__file__).parents[2].joinpath("docs/internals/states.md").read_text(encoding="utf-8")
CELL = re.compile(r" *\| *")
ARROW = re.compile(r"^ *(\S+) --> (\w+): (.+)$", re.MULTILINE)

NEW, DELETED, WALK = "new", "deleted", "walk"


class Transition(NamedTuple):
    """One change of a phase."""

    before: str  # the name of a phase, or "new"
    after: str  # the name of a phase, or "deleted"
    verb: str  # of the broker, or "walk"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with `heading`, without its head."""
    _, found, rest = PAGE.partition(f"\n{heading}")
    assert found, f"there is no table {heading!r}"
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [CELL.split(line.strip("| ")) for line in lines]


def listed(cell: str) -> list[str]:
    return cell.split(", ")


TABLE = {
    Transition(*each)
    for row in rows("| from | to | verb |")
    for each in product(*map(listed, row[:3]))
}


def phases(broker: MemoryBroker) -> dict[str, str]:
    """Return the names of the phases of all tasks by id."""
    return {r.message.id: r.phase.name.lower() for r in broker.listing(list(Phase), 10**6)}


class Recorder(MemoryBroker):
    """A memory broker that notes in `seen` each change of a phase that its verbs make."""

    seen: set[Transition]
    _recording = RLock()  # of several threads each verb sees its own changes only

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        """Settle, and then claim by a verb of its own, so that each change can be told apart."""
        with self._noting("settle"):
            refused = super().settle(settlements).refused
        return Settled(refused, self.claim(claim) if claim else [])

    def cancel(self, ids: Sequence[str], *args: Any, **options: Any) -> list[str]:
        with self._noting("cancel", ids):
            return super().cancel(ids, *args, **options)

    def emit(self, event: Event) -> bool:
        with self._noting("emit", list(phases(self))):
            return super().emit(event)

    @contextmanager
    def _noting(self, verb: str, ids: Sequence[str] = ()) -> Iterator[None]:
        """Note the changes made inside. `ids`: the waiting tasks that the verb itself ends."""
        with self._recording:
            before = phases(self)
            yield
            after = phases(self)
            for id in before | after:
                was, now = before.get(id, NEW), after.get(id, DELETED)
                walked = was == "waiting" and id not in ids
                if was != now:
                    self.seen.add(Transition(was, now, WALK if walked else verb))


def noted(verb: str) -> Callable[..., Any]:
    """Return `verb` of the memory broker with its changes noted."""

    def call(self: Recorder, *args: Any, **options: Any) -> Any:
        with self._noting(verb):
            return getattr(MemoryBroker, verb)(self, *args, **options)

    return call


SAME = {"listing", "settle", "cancel", "emit"}  # looking changes nothing; the others are above
for name in Broker.__abstractmethods__ - SAME:
    setattr(Recorder, name, noted(name))


class Contract(BrokerContract):
    """The contract on a broker that notes, and what the contract has no sentence about."""

    def make_broker(self, clock: ManualClock) -> Broker:
        return Recorder(clock)

    def kill_worker(self, broker: Broker, worker: int) -> None:
        assert isinstance(broker, MemoryBroker)
        broker.mark_dead(worker)

    def restart_machine(self, broker: Broker, worker: int) -> None:
        assert isinstance(broker, MemoryBroker)
        broker.mark_dead(worker, with_machine=True)

    def ended_in(self, phase: Phase) -> str:
        """Send a task, end it in `phase` and return its id."""
        self.send(phase.name)
        self.settle(self.success(self.claim_one())._replace(phase=phase))
        return phase.name

    def test_every_end_but_success_can_be_revived(self) -> None:
        for phase in Phase:
            if phase > Phase.SUCCEEDED:
                self.broker.revive([self.ended_in(phase)])
                self.broker.purge(None)

    def test_every_end_can_be_replaced(self) -> None:
        for phase in Phase:
            if phase.final:
                for eta in (None, self.clock() + 60):
                    again = self.message(self.ended_in(phase), eta=eta)
                    self.clock.advance(1)
                    assert self.broker.enqueue_or_replace(again, self.clock())
                    self.broker.purge(None)

    def test_every_end_can_be_forgotten_and_swept(self) -> None:
        for phase in Phase:
            if phase.final:
                self.broker.forget([self.ended_in(phase)])
                self.ended_in(phase)
                self.clock.advance(1000)
                assert self.broker.sweep(10) == 1

    def test_workflows_begin_in_every_phase(self) -> None:
        later = self.clock() + 60
        places = (Place(followed=True), Place(followed=True), Place(waits="now"))
        for via in ("sent", "replaced"):
            now, soon, after = (f"{via}-{name}" for name in ("now", "soon", "after"))
            messages = self.message(now), self.message(soon, eta=later), self.message(after)
            graph = Graph(messages, (*places[:2], Place(waits=now)))
            if via == "sent":
                self.broker.enqueue_graph(graph)
            else:
                self.send("replaced")
                delivery = self.claim(1, ("celery",))[0]
                again = self.retry(delivery)._replace(graph=graph, place=Place(waits=after))
                self.settle(again._replace(phase=Phase.WAITING))

    def test_a_purge_ends_what_others_wait_for(self) -> None:
        members = [self.message("now"), self.message("later", eta=self.clock() + 60)]
        body = self.message("body")
        places = (Place(group="g"), Place(group="g", position=1), Place(waits="g", barrier=True))
        self.broker.enqueue_graph(Graph((*members, body), places, (Group("g"),)))
        self.broker.purge(None)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[Transition]:
    """All that recorders of this test have noted."""
    found: set[Transition] = set()
    monkeypatch.setattr(Recorder, "seen", found, raising=False)
    return found


def test_the_table_has_what_the_contract_does_and_nothing_else(seen: set[Transition]) -> None:
    for name in dir(Contract):
        if name.startswith("test_"):
            bench = Contract()
            with suppress(SkipTest):  # what this broker does not offer
                getattr(bench, name)()
            bench.teardown_method()

    # What becomes of a run, or of a dead worker's claims, is the worker's decision: here the
    # contract tries any phase, so the tests below say what is not in the table.
    assert {each for each in seen if not is_decided(each)} <= TABLE
    assert seen >= TABLE


def test_any_order_of_verbs_makes_no_other_transition(seen: set[Transition]) -> None:
    run_state_machine_as_test(Recorded, settings=settings(max_examples=25))

    assert seen - TABLE == set()


def is_decided(each: Transition) -> bool:
    return each.before == "running" and each.verb in {"settle", "rescue"}


class Recorded(Brokers):
    """Any order of verbs on a broker that notes, beside one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Recorder(self.clock)

    def new_store(self) -> str:
        return "memory://"

    def kill_worker(self, worker: int, *, with_machine: bool) -> None:
        assert isinstance(self.real, MemoryBroker)
        self.real.mark_dead(worker, with_machine=with_machine)


REPORTED = (None, IGNORED, "PROGRESS", "SUCCESS", "FAILURE", "REVOKED")
PLACES = (Place(), Place(waits="b"))


def test_a_run_ends_as_the_worker_decides() -> None:
    decided = set()
    cases = product(Kind, (True, False), (0, 9), (True, False), (None, 9.0), REPORTED, PLACES)
    for kind, late, lost, exhausted, eta, reported, place in cases:
        message = Contract().message(acks_late=late, eta=eta)
        outcome = Outcome(
            kind,
            eta=eta,
            message=message,
            graph=Graph(),
            place=place,
            exhausted=exhausted,
            reported=reported,
        )
        delivery = Delivery(message, Receipt("a", 1), lost)
        decided.add(decide(delivery, outcome, Policy(), 1.0).phase.name.lower())

    table = {each.after for each in TABLE if is_decided(each) and each.verb == "settle"}
    assert decided == table


def test_the_diagram_shows_what_the_table_says() -> None:
    drawn = {
        Transition(NEW if before == "[*]" else before, after, verb)
        for before, after, verbs in ARROW.findall(PAGE)
        for verb in listed(verbs)
    }

    assert drawn == {each for each in TABLE if each.after != DELETED}


def test_the_phases_are_those_of_the_code() -> None:
    assert [row[:2] for row in rows("| phase | number |")] == [
        [phase.name.lower(), str(phase.value)] for phase in Phase
    ]


def test_states_follow_from_phases_as_the_page_says() -> None:
    states: dict[str, set[str]] = {}
    for phase, retries in product(Phase, (0, 1)):
        state = public_state(phase, retries=retries, reported=None)
        states.setdefault(phase.name.lower(), set()).add(state)
    named: dict[str, set[str]] = {}
    for names, text in rows("| phase | state |"):
        named |= {name: set(re.findall("[A-Z]{2,}", text)) for name in listed(names)}

    assert states == named
