"""The contract of `pause`, `resume`, `pauses`, and of what claims and `expire` do meanwhile."""

from ...brokers.base import Claim
from ...model.entry import Entry, Fired, Firing
from ...model.graph import Graph, Place
from ...model.pause import KEEP, SKIP, Pause, PauseKind
from ...states import Phase
from .harness import Harness, ids
from .leaving import MANY


class Pausing(Harness):
    """What is paused stays READY, and is not handed out."""

    def pause(self, kind: PauseKind, name: str = "", schedules: str = KEEP) -> bool:
        """Pause now; return whether that was not so already."""
        return self.broker.pause(Pause(kind, name, self.clock(), schedules))

    # queues

    def test_nothing_of_a_paused_queue_is_handed_out_until_it_is_resumed(self) -> None:
        self.send("a", queue="mail")
        self.pause(PauseKind.QUEUE, "mail")
        self.send("b", queue="mail")

        assert self.claim(queues=["mail"]) == []
        assert self.phase("a") is Phase.READY
        assert self.broker.resume(PauseKind.QUEUE, "mail")
        assert ids(self.claim(queues=["mail"])) == ["a", "b"]

    def test_other_queues_are_handed_out_meanwhile(self) -> None:
        self.send("a", queue="mail", priority=9)
        self.send("b", queue="other")
        self.pause(PauseKind.QUEUE, "mail")

        assert ids(self.claim(queues=["mail", "other"])) == ["b"]

    def test_of_a_thousand_queues_the_paused_ones_are_left_out(self) -> None:
        queues = [f"q{n:03}" for n in range(1000)]
        for n in (3, 500, 999):
            self.send(f"a{n}", queue=f"q{n:03}", priority=n)
        self.pause(PauseKind.QUEUE, "q999")

        assert ids(self.claim(limit=1, queues=queues)) == ["a500"]
        assert ids(self.claim(limit=9, queues=queues)) == ["a3"]

    def test_a_claim_that_is_made_while_settling_heeds_pauses(self) -> None:
        self.send("a", "b")
        (a,) = self.claim(limit=1)
        self.pause(PauseKind.QUEUE, "celery")

        settled = self.broker.settle([self.success(a)], self.claim_request())
        assert settled.claimed == []
        assert self.phase("a") is Phase.SUCCEEDED
        assert self.phase("b") is Phase.READY

    def test_what_runs_ends_normally(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.pause(PauseKind.STORE)

        assert self.settle(self.success(delivery)) == []
        assert self.phase() is Phase.SUCCEEDED

    def test_a_retry_and_what_was_given_back_wait_as_well(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.pause(PauseKind.QUEUE, "celery")
        self.settle(self.retry(a))
        self.broker.release([b.receipt])

        assert self.claim() == []
        self.broker.resume(PauseKind.QUEUE, "celery")
        assert ids(self.claim()) == ["a", "b"]

    # names and all

    def test_nothing_of_a_paused_name_is_handed_out_until_it_is_resumed(self) -> None:
        self.send("a", task="send")
        self.send("b", task="other")
        self.pause(PauseKind.TASK, "send")
        self.send("c", task="send", priority=5)

        assert ids(self.claim()) == ["b"]
        assert self.claim() == []
        assert [self.phase(id) for id in "ac"] == [Phase.READY] * 2
        self.broker.resume(PauseKind.TASK, "send")
        assert ids(self.claim()) == ["c", "a"]

    def test_a_name_is_paused_in_all_queues(self) -> None:
        self.send("a", task="send", queue="x")
        self.send("b", task="send", queue="y")
        self.pause(PauseKind.TASK, "send")

        assert self.claim(queues=["x", "y"]) == []
        self.broker.resume(PauseKind.TASK, "send")
        assert ids(self.claim(queues=["y"])) == ["b"]
        assert ids(self.claim(queues=["x"])) == ["a"]

    def test_tasks_behind_many_of_a_paused_name_are_handed_out(self) -> None:
        self.send(*(f"s{n}" for n in range(MANY)), task="send")
        self.send("last", task="other")
        self.pause(PauseKind.TASK, "send")

        assert ids(self.claim(limit=1)) == ["last"]
        self.broker.resume(PauseKind.TASK, "send")
        assert ids(self.claim(limit=2 * MANY)) == [f"s{n}" for n in range(MANY)]

    def test_the_order_holds_for_what_was_passed_over(self) -> None:
        self.send("a", task="send")
        self.send("b", task="other")
        self.send("c", task="send", priority=1)
        self.pause(PauseKind.TASK, "send")
        self.claim(limit=1)
        self.broker.resume(PauseKind.TASK, "send")
        self.send("d", task="other", priority=1)
        self.send("e", task="send")

        assert ids(self.claim(limit=2)) == ["c", "d"]
        assert ids(self.claim()) == ["a", "e"]

    def test_the_whole_store_can_be_paused(self) -> None:
        self.send("a")
        self.pause(PauseKind.STORE)

        assert self.claim() == []
        self.broker.resume(PauseKind.STORE, "")
        assert ids(self.claim()) == ["a"]

    def test_pauses_are_independent_of_one_another(self) -> None:
        self.send("a", task="send", queue="mail")
        for kind, name in ((PauseKind.STORE, ""), (PauseKind.QUEUE, "mail")):
            self.pause(kind, name)
        self.pause(PauseKind.TASK, "send")

        assert self.broker.resume(PauseKind.STORE, "")
        assert self.claim(queues=["mail"]) == []
        assert self.broker.resume(PauseKind.TASK, "send")
        assert self.claim(queues=["mail"]) == []
        assert self.broker.resume(PauseKind.QUEUE, "mail")
        assert ids(self.claim(queues=["mail"])) == ["a"]

    # what is stored

    def test_pauses_are_listed_with_their_time(self) -> None:
        assert self.broker.pauses() == []
        assert self.pause(PauseKind.TASK, "send", SKIP)
        self.clock.advance(5)
        assert self.pause(PauseKind.QUEUE, "mail")

        assert self.broker.pauses() == [
            Pause("queue", "mail", self.clock(), KEEP),
            Pause("task", "send", self.clock() - 5, SKIP),
        ]

    def test_a_second_pause_keeps_the_time_and_changes_what_schedules_do(self) -> None:
        self.pause(PauseKind.QUEUE, "mail")
        self.clock.advance(5)

        assert not self.pause(PauseKind.QUEUE, "mail", SKIP)
        assert self.broker.pauses() == [Pause("queue", "mail", self.clock() - 5, SKIP)]

    def test_what_is_not_paused_cannot_be_resumed(self) -> None:
        self.pause(PauseKind.QUEUE, "mail")

        assert not self.broker.resume(PauseKind.TASK, "mail")
        assert not self.broker.resume(PauseKind.QUEUE, "other")
        assert self.broker.resume(PauseKind.QUEUE, "mail")
        assert not self.broker.resume(PauseKind.QUEUE, "mail")

    def test_a_pause_outlives_the_worker_and_the_connection(self) -> None:
        self.send("a")
        self.pause(PauseKind.QUEUE, "celery")
        self.broker.unregister(self.worker)
        self.broker.close()

        worker = self.broker.register("another", "{}")
        assert self.broker.claim(Claim(worker, ("celery",), 10)) == []

    # what else is done to tasks that are paused, or were passed over

    def test_a_paused_task_can_be_cancelled(self) -> None:
        self.passed_over("a", "b")

        assert self.broker.cancel(["a"], keep=60) == ["a"]
        assert self.phase("a") is Phase.CANCELLED
        assert self.record("a").message.queue == "celery"
        self.broker.resume(PauseKind.TASK, "send")
        assert ids(self.claim()) == ["b"]

    def test_a_cancelled_task_that_is_revived_is_handed_out(self) -> None:
        self.passed_over("a")
        self.broker.cancel(["a"], keep=60)
        self.broker.resume(PauseKind.TASK, "send")
        self.claim()
        self.broker.revive(["a"])

        assert ids(self.claim()) == ["a"]

    def test_paused_tasks_are_purged(self) -> None:
        self.passed_over("a", "b")
        self.send("c", queue="other", task="send")

        assert self.broker.purge(["celery"]) == 2
        assert self.known("a", "b", "c") == ["c"]
        assert self.broker.purge(None) == 1
        self.broker.resume(PauseKind.TASK, "send")
        assert self.claim(queues=["celery", "other"]) == []

    def test_paused_tasks_are_counted_and_listed_in_their_queue(self) -> None:
        self.passed_over("a", "b")
        self.send("c", task="send")

        assert [tuple(each) for each in self.broker.counts()] == [("celery", Phase.READY, 3)]
        listed = self.broker.listing([Phase.READY], 10)
        assert [each.message.id for each in listed] == ["a", "b", "c"]
        assert {each.message.queue for each in listed} == {"celery"}
        assert self.record("a") == self.record("c")._replace(
            message=self.record("a").message, seq=self.record("a").seq, token=self.record("a").token
        )

    def test_what_was_passed_over_is_as_it_was_sent_when_it_is_handed_out(self) -> None:
        self.passed_over("a", options='{"headers": {}}', priority=3)
        sent = self.message("a", task="send", options='{"headers": {}}', priority=3)
        self.broker.resume(PauseKind.TASK, "send")
        delivery = self.claim_one()

        assert (delivery.message, delivery.attempts, delivery.lost) == (sent, 0, 0)
        assert self.record("a").message == sent
        self.broker.release([delivery.receipt])
        assert ids(self.claim()) == ["a"]

    def test_upkeep_leaves_paused_tasks_alone(self) -> None:
        self.passed_over("a")
        self.broker.upkeep(idle=True)
        self.broker.resume(PauseKind.TASK, "send")
        self.broker.upkeep(idle=True)

        assert ids(self.claim()) == ["a"]

    def test_what_expires_while_it_is_paused_ends(self) -> None:
        self.send("queue", queue="mail", expires=self.clock() + 5)
        self.send("name", task="send", expires=self.clock() + 5)
        self.send("later", queue="mail", expires=self.clock() + 50)
        self.send("never", queue="mail")
        self.send("open", expires=self.clock() + 5, priority=-1)
        self.pause(PauseKind.QUEUE, "mail")
        self.pause(PauseKind.TASK, "send")
        (claimed,) = self.claim()
        assert claimed.id == "open"
        self.broker.release([claimed.receipt])
        self.clock.advance(5)
        self.expire()

        expired = (Phase.EXPIRED, self.clock(), self.clock() + 60)
        for id in ("queue", "name"):
            record = self.record(id)
            assert (record.phase, record.finished, record.keep_until) == expired
        assert {self.phase(id) for id in ("later", "never", "open")} == {Phase.READY}

    def test_what_expires_while_the_store_is_paused_ends(self) -> None:
        self.send(*(f"{n}" for n in range(MANY)), expires=self.clock() + 5)
        self.send("kept")
        self.pause(PauseKind.STORE)
        self.clock.advance(4)
        self.expire()
        assert self.phase("0") is Phase.READY
        self.clock.advance(1)
        self.expire()

        assert [tuple(each) for each in self.broker.counts()] == [
            ("celery", Phase.READY, 1),
            ("celery", Phase.EXPIRED, MANY),
        ]

    def test_what_depends_on_a_task_that_expires_while_paused_is_skipped(self) -> None:
        first, second = self.message("a", expires=self.clock() + 5), self.message("b")
        places = (Place(followed=True), Place(waits="a", takes=True))
        self.broker.enqueue_graph(Graph((first, second), places))
        self.pause(PauseKind.QUEUE, "celery")
        self.clock.advance(5)
        self.expire()

        assert (self.phase("a"), self.phase("b")) == (Phase.EXPIRED, Phase.SKIPPED)

    def test_nothing_that_can_be_claimed_expires_before_it_is(self) -> None:
        self.send("a", expires=self.clock() - 1)
        self.expire()

        assert ids(self.claim()) == ["a"]

    def expire(self) -> None:
        """Look at all tasks that no claim hands out, some at a time."""
        while not self.broker.expire(limit=100, keep=60):
            pass

    def passed_over(self, *ids: str, **fields: object) -> None:
        """Send tasks of a paused name, and let a claim pass over them."""
        self.pause(PauseKind.TASK, "send")
        self.send(*ids, task="send", **fields)
        assert self.claim() == []

    # periodic entries

    def test_an_entry_goes_on_sending_to_a_paused_queue(self) -> None:
        self.pause(PauseKind.QUEUE, "celery")

        assert self.fire("a") is Fired.DONE
        assert self.phase("a") is Phase.READY

    def test_an_entry_passes_a_run_over_whose_queue_is_paused_and_skips(self) -> None:
        self.pause(PauseKind.QUEUE, "celery", SKIP)

        assert self.fire("a") is Fired.PAUSED
        assert self.known("a") == []
        (entry,) = self.broker.schedules()
        assert (entry.moment, entry.runs, entry.last_id) == (self.clock() + 60, 0, None)
        self.broker.resume(PauseKind.QUEUE, "celery")
        assert self.fire("b") is Fired.DONE

    def test_an_entry_passes_a_run_over_whose_task_or_store_is_paused_and_skips(self) -> None:
        self.pause(PauseKind.TASK, "task", SKIP)
        assert self.fire("a") is Fired.PAUSED

        self.broker.resume(PauseKind.TASK, "task")
        self.pause(PauseKind.STORE, "", SKIP)
        assert self.fire("b") is Fired.PAUSED

        self.broker.resume(PauseKind.STORE, "")
        self.pause(PauseKind.TASK, "another", SKIP)
        self.pause(PauseKind.QUEUE, "another", SKIP)
        assert self.fire("c") is Fired.DONE

    def test_an_entry_that_sends_nothing_is_advanced_while_its_queue_is_paused(self) -> None:
        self.pause(PauseKind.QUEUE, "celery", SKIP)

        assert self.fire(None) is Fired.DONE

    def fire(self, id: str | None) -> Fired:
        """Fire the one entry of the store for a message `id`; return what became of it."""
        if not self.broker.schedules():
            message = self.message("")
            self.broker.schedule([Entry("entry", '{"every": 60}', message, self.clock())])
        (entry,) = self.broker.schedules()
        after = entry._replace(moment=self.clock() + 60, due=self.clock() + 60)
        if id is None:
            (fired,) = self.broker.fire([Firing(after, None)])
            return fired
        after = after._replace(runs=entry.runs + 1, last=self.clock(), last_id=id)
        (fired,) = self.broker.fire([Firing(after, entry.message._replace(id=id))])
        return fired
