"""The contract of `counts`, `listing` and `purge`, which tools use."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...brokers.base import Claim
from ...model.search import Search
from ...states import Phase
from .harness import Harness, ids


class Tools(Harness):
    """Tools see what the store holds, and can drop waiting tasks."""

    def test_tasks_are_counted_by_queue_and_phase(self) -> None:
        self.send("a", "b", queue="x")
        self.send("c", queue="y")
        self.send("d", queue="y", eta=self.clock() + 1)
        self.claim(limit=1, queues=["x"])

        assert sorted(self.broker.counts()) == [
            ("x", Phase.READY, 1),
            ("x", Phase.RUNNING, 1),
            ("y", Phase.SCHEDULED, 1),
            ("y", Phase.READY, 1),
        ]

    def test_a_revision_differs_once_others_have_changed_the_store(self) -> None:
        self.send("a")
        with ThreadPoolExecutor(1) as other:
            first, again = (other.submit(self.broker.revision).result() for _ in range(2))
            self.send("b")
            sent = other.submit(self.broker.revision).result()
            (delivery,) = self.claim(limit=1)
            claimed = other.submit(self.broker.revision).result()
            self.settle(self.success(delivery))
            settled = other.submit(self.broker.revision).result()

        assert first == again
        different = [first, sent, claimed, settled]
        assert all(a != b for n, a in enumerate(different) for b in different[:n])

    def test_a_listing_is_oldest_first_and_keeps_to_its_limit(self) -> None:
        self.send("b", priority=1)
        self.send("c", "a", priority=2)

        listed = self.broker.listing([Phase.READY], 2)

        assert [each.message.id for each in listed] == ["b", "c"]
        assert listed[0] == self.record("b")

    def test_a_listing_of_thousands_is_oldest_first(self) -> None:
        sent = [
            self.message(f"t{n:04}", priority=n % 3, eta=later - n if n % 2 else None)
            for later in (self.clock() + 5000,)
            for n in range(2000)
        ]
        self.broker.enqueue(sent)
        running = self.claim(limit=100)
        self.settle(*(self.success(each, keep_until=5000.0 - n) for n, each in enumerate(running)))
        self.claim(limit=100)
        names = [each.id for each in sent]

        for limit in (1, 700, 1999, 5000):
            listed = self.broker.listing(list(Phase), limit)
            assert [each.message.id for each in listed] == names[:limit]
        scheduled = self.broker.listing([Phase.SCHEDULED], 600)
        assert [each.message.id for each in scheduled] == names[1:1200:2]

    def test_a_listing_has_the_phases_that_were_asked_for(self) -> None:
        self.finish("done")
        self.send("running")
        self.claim_one()
        self.send("ready")

        listed = self.broker.listing([Phase.SUCCEEDED, Phase.READY], 10)

        assert [each.message.id for each in listed] == ["done", "ready"]
        assert self.broker.listing([], 10) == []

    def test_a_listing_can_be_limited_to_a_task_name(self) -> None:
        self.send("a", task="mine")
        self.send("b", task="other")

        listed = self.broker.listing([Phase.READY], 10, Search(task="mine"))
        assert [each.message.id for each in listed] == ["a"]

    def test_a_listing_can_be_limited_to_a_header(self) -> None:
        self.send("number", options='{"headers": {"the customer": 7, "city": "Turin"}}')
        self.send("text", options='{"headers": {"the customer": "7"}}')
        self.send("none", options="{}")
        self.send("nothing")

        def listed(**headers: object) -> list[str]:
            found = self.broker.listing([Phase.READY], 10, Search(headers=headers))
            return [each.message.id for each in found]

        assert listed(**{"the customer": 7}) == ["number"]
        assert listed(**{"the customer": "7"}) == ["text"]
        assert listed(city="Turin", **{"the customer": "7"}) == ["number", "text"]
        assert listed(town="Turin") == []
        assert listed() == []

    def test_a_listing_can_be_limited_to_a_queue_a_worker_a_time_and_a_text(self) -> None:
        self.send("a", queue="mail")
        self.broker.claim(Claim(self.broker.register("other", "{}"), ("mail",), 1))
        self.clock.advance(10.0)
        later = self.clock()
        self.send("b", task="project.add", payload=b'[["Turin"], {}]')
        self.send("c")

        def listed(**fields: Any) -> list[str]:
            found = self.broker.listing(list(Phase), 10, Search(**fields))
            return [each.message.id for each in found]

        assert listed(queue="mail") == ["a"]
        assert listed(worker="other") == ["a"]
        assert listed(since=later) == ["b", "c"]
        assert listed(text="Turin") == ["b"]
        assert listed(text="project.a") == ["b"]
        assert listed(text="c", since=later) == ["b", "c"]
        assert listed(queue="mail", since=later) == []

    def test_a_listing_can_have_the_newest_first_and_go_on_where_a_page_ended(self) -> None:
        later = self.clock() + 5000
        sent = [
            self.message(f"t{n:03}", priority=n % 3, eta=later - n if n % 2 else None)
            for n in range(300)
        ]
        self.broker.enqueue(sent)
        running = self.claim(limit=50)
        self.settle(*(self.success(each, keep_until=5000.0 - n) for n, each in enumerate(running)))
        self.claim(limit=20)
        names = [each.id for each in sent]

        for newest, order in ((False, names), (True, names[::-1])):
            pages: list[str] = []
            search, last = Search(newest=newest), None
            while page := self.broker.listing(list(Phase), 70, search._replace(beyond=last)):
                pages += [each.message.id for each in page]
                last = page[-1].seq
            assert pages == order
        for newest in (False, True):  # also when the last task of the page is gone
            last_one = self.record(names[-2])
            following = names[-1] if newest is False else names[-3]
            self.broker.cancel([names[-2]], 5000.0)
            self.broker.forget([names[-2]])
            search = Search(newest=newest, beyond=last_one.seq)
            (found,) = self.broker.listing(list(Phase), 1, search)
            assert found.message.id == following
            del names[-2]

    def test_a_listing_can_be_limited_to_a_stamp(self) -> None:
        self.send("one", options='{"stamps": {"the trace": "x", "number": 1}}')
        self.send("many", options='{"stamps": {"the trace": ["x", "y", 2]}}')
        self.send("header", options='{"headers": {"the trace": "x"}, "stamps": {}}')
        self.send("dict", options='{"stamps": {"the trace": {"a": "x"}}}')

        def listed(value: object, name: str = "the trace") -> list[str]:
            found = self.broker.listing([Phase.READY], 10, Search(headers={name: value}))
            return [each.message.id for each in found]

        assert listed("x") == ["one", "many", "header"]
        assert listed("y") == listed(2) == ["many"]
        assert listed("2") == listed("z") == []
        assert listed(1, "number") == ["one"]

    def test_purging_drops_what_waits_to_be_run(self) -> None:
        self.finish("done")
        self.send("running")
        self.claim_one()
        self.send("ready")
        self.send("scheduled", eta=self.clock() + 1)

        assert self.broker.purge(None) == 2
        assert self.known("done", "running", "ready", "scheduled") == ["done", "running"]

    def test_purging_keeps_to_the_queues_that_were_named(self) -> None:
        self.send("a", queue="x")
        self.send("b", queue="y")
        self.send("c", queue="z")

        assert self.broker.purge([]) == 0
        assert self.broker.purge(["x", "z", "unknown"]) == 2
        assert ids(self.claim(queues=["x", "y", "z"])) == ["b"]
