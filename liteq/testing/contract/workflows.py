"""The contract of `enqueue_graph`, and of what follows when a task of a workflow ends."""

from ...model.graph import Graph, Group, Members, Place
from ...model.message import Delivery, Input
from ...states import Phase
from .workflow_harness import WorkflowHarness


class Workflows(WorkflowHarness):
    """A workflow is stored whole or not at all; the end of a task and what follows are one step."""

    # sending

    def test_only_tasks_that_wait_for_nothing_are_ready(self) -> None:
        self.chain("a", "b", "c")

        assert self.claim_ids() == ["a"]
        assert self.phase("b") is Phase.WAITING

    def test_a_workflow_that_is_sent_twice_is_stored_once(self) -> None:
        self.chain("a", "b")
        self.succeed(self.claim_one())
        self.chain("a", "b")

        assert self.claim_ids() == ["b"]

    # chains

    def test_the_next_task_is_ready_when_the_one_before_has_succeeded(self) -> None:
        self.chain("a", "b")
        self.succeed(self.claim_one())

        delivery = self.claim_one()
        assert delivery.message.id == "b"
        assert delivery.woken_by == "a"
        assert delivery.inputs == Input(Phase.SUCCEEDED, "json", b"a", None)

    def test_the_next_task_can_be_claimed_as_the_one_before_is_settled(self) -> None:
        self.chain("a", "b")
        settlement = self.ended(self.claim_one(), Phase.SUCCEEDED)

        claimed = self.broker.settle([settlement], self.claim_request()).claimed
        assert [each.message.id for each in claimed] == ["b"]

    def test_a_task_that_takes_no_inputs_gets_none(self) -> None:
        self.send_graph({"a": Place(followed=True), "b": Place(waits="a")})
        self.succeed(self.claim_one())

        assert self.claim_one().inputs is None

    def test_a_retried_task_gets_the_same_inputs(self) -> None:
        self.chain("a", "b")
        self.succeed(self.claim_one())
        first = self.claim_one()
        self.settle(self.retry(first))

        assert self.claim_one().inputs == first.inputs

    def test_a_retry_wakes_no_dependent(self) -> None:
        self.chain("a", "b")
        self.settle(self.retry(self.claim_one()))

        assert self.claim_ids() == ["a"]

    def test_nothing_runs_after_a_failure(self) -> None:
        self.chain("a", "b", "c")
        self.end(self.claim_one(), Phase.FAILED)

        assert self.claim() == []
        for id in "bc":
            record = self.record(id)
            assert (record.phase, record.woken_by) == (Phase.SKIPPED, "a")
            assert record.finished == self.clock()
            assert record.keep_until == self.record("a").keep_until

    def test_nothing_runs_after_an_ignored_task_whatever_its_state(self) -> None:
        for state in ("IGNORED", "HALFWAY"):
            self.chain(f"{state}.a", f"{state}.b")
            first = self.claim_one()
            self.settle(self.ended(first, Phase.SUCCEEDED)._replace(reported=state))

            assert self.claim_ids() == []
            assert self.phase(f"{state}.b") is Phase.CANCELLED

    def test_a_task_that_waits_for_a_revoked_one_is_revoked(self) -> None:
        self.chain("a", "b", "c")
        self.broker.cancel(["a"], keep=10)

        assert [self.phase(id) for id in "abc"] == [Phase.CANCELLED] * 3

    def test_a_task_in_the_middle_can_be_revoked(self) -> None:
        self.chain("a", "b", "c")
        self.broker.cancel(["b"], keep=10)
        self.succeed(self.claim_one())

        assert self.claim() == []
        assert self.phase("c") is Phase.CANCELLED

    def test_a_task_that_waits_for_a_dead_one_is_skipped(self) -> None:
        self.chain("a", "b")
        self.claim_and_die()
        self.rescue(max_lost=1)

        assert (self.phase("a"), self.phase("b")) == (Phase.DEAD, Phase.SKIPPED)

    def test_a_void_receipt_wakes_no_dependent(self) -> None:
        self.chain("a", "b")
        (old,) = self.claim_and_die()
        self.rescue()

        assert self.settle(self.ended(old, Phase.SUCCEEDED)) == [old.receipt]
        assert self.phase("b") is Phase.WAITING

    def test_many_can_wait_for_one(self) -> None:
        self.send_graph({"a": Place(followed=True), "b": Place(waits="a"), "c": Place(waits="a")})
        self.succeed(self.claim_one())

        assert self.claim_ids() == ["b", "c"]

    def test_a_task_that_waits_keeps_its_eta(self) -> None:
        messages = (self.message("a"), self.message("b", eta=self.clock() + 5))
        self.broker.enqueue_graph(Graph(messages, (Place(followed=True), Place(waits="a"))))
        self.succeed(self.claim_one())

        assert self.phase("b") is Phase.SCHEDULED
        self.clock.advance(5)
        self.broker.promote()
        assert self.claim_ids() == ["b"]

    def test_nothing_runs_after_a_task_that_ends_in_a_custom_state(self) -> None:
        self.send_graph(
            {
                "a": Place(followed=True),
                "b": Place(waits="a"),
                "errback": Place(waits="a", on_failure=1),
            }
        )
        a = self.claim_one()
        self.settle(self.ended(a, Phase.SUCCEEDED)._replace(reported="IGNORED"))

        assert (self.phase("a"), self.phase("b")) == (Phase.SUCCEEDED, Phase.CANCELLED)
        assert self.known("errback") == []

    def test_a_delay_begins_when_the_task_before_has_ended(self) -> None:
        self.send_graph({"a": Place(followed=True), "b": Place(waits="a", delay=5.0)})
        self.clock.advance(100)
        self.succeed(self.claim_one())
        assert self.phase("b") is Phase.SCHEDULED
        self.clock.advance(4)
        self.broker.promote()
        assert self.claim() == []

        self.clock.advance(1)
        self.broker.promote()
        assert self.claim_ids() == ["b"]

    # errbacks

    def test_an_errback_runs_when_the_task_fails(self) -> None:
        self.send_graph({"a": Place(followed=True), "errback": Place(waits="a", on_failure=1)})
        self.end(self.claim_one(), Phase.FAILED)

        delivery = self.claim_one()
        assert delivery.message.id == "errback"
        assert delivery.inputs == Input(
            Phase.FAILED, "json", b"error", None, None, tuple(self.record("a").message)
        )

    def test_an_errback_is_deleted_when_the_task_succeeds(self) -> None:
        self.send_graph({"a": Place(followed=True), "errback": Place(waits="a", on_failure=1)})
        self.succeed(self.claim_one())

        assert self.known("errback") == []
        assert self.claim() == []

    def test_an_errback_of_a_task_that_was_skipped_does_not_run(self) -> None:
        self.send_graph(
            {
                "a": Place(followed=True),
                "b": Place(waits="a", followed=True),
                "errback": Place(waits="b", on_failure=1),
            }
        )
        self.end(self.claim_one(), Phase.FAILED)

        assert self.claim() == []

    # dependents

    def test_the_tasks_that_wait_for_a_task_can_be_listed(self) -> None:
        self.send_graph(
            {
                "a": Place(followed=True),
                "b": Place(waits="a"),
                "c": Place(waits="b"),
                "errback": Place(waits="a", on_failure=1),
            }
        )

        assert self.broker.dependents("a") == ["b", "errback"]
        assert [self.record(id).on_failure for id in ("b", "errback")] == [0, 1]
        self.succeed(self.claim_one())
        assert self.broker.dependents("a") == ["b"]
        assert self.broker.dependents("unknown") == []

    # sweeping

    def test_a_result_that_a_waiting_task_needs_is_not_swept(self) -> None:
        self.chord("a", "b")
        a, b = self.claim()
        self.succeed(a)
        self.clock.advance(1e6)
        assert self.broker.sweep(10) == 0
        assert self.broker.forget(["a"]) == 0

        self.succeed(b)
        self.succeed(self.claim_one())
        self.clock.advance(1e6)
        assert self.broker.sweep(10) == 3

    def test_a_step_whose_result_is_needed_is_not_replaced(self) -> None:
        self.chain("a", "b")
        self.succeed(self.claim_one())
        self.clock.advance(1)
        assert not self.broker.enqueue_or_replace(self.message("a"), self.clock())

        self.succeed(self.claim_one())
        assert self.broker.enqueue_or_replace(self.message("a"), self.clock())
        assert self.claim_ids() == ["a"]

    def test_a_step_of_a_chain_is_swept_when_the_next_one_has_ended(self) -> None:
        self.chain("a", "b")
        self.succeed(self.claim_one())
        self.clock.advance(1e6)
        assert self.broker.sweep(10) == 0

        self.succeed(self.claim_one())
        assert self.broker.sweep(10) == 1

    def test_a_group_is_known_as_long_as_a_group_in_it(self) -> None:
        places = {
            "a": Place(group="inner"),
            "b": Place(),
            "body": Place(waits="top", barrier=True),
        }
        groups = (Group("top"), Group("middle", outer="top"), Group("inner", outer="middle"))
        self.send_graph(places, *groups)
        a, b = self.claim()
        self.succeed(a)
        self.succeed(self.claim_one())
        self.settle(self.ended(b, Phase.SUCCEEDED)._replace(keep_until=self.clock()))

        assert self.broker.sweep(10) == 1
        assert self.broker.members("top") == Members([], ["middle"])
        assert self.broker.members("middle") == Members([], ["inner"], "top")
        assert self.broker.members("inner") == Members(["a"], [], "middle")

    def test_purging_a_workflow_ends_it(self) -> None:
        self.chord("a", "b")

        assert self.broker.purge(None) == 2
        assert self.phase("body") is Phase.SKIPPED

    # replacing

    def test_a_replaced_task_ends_when_its_replacement_has_ended(self) -> None:
        self.chain("a", "b")
        delivery = self.claim_one()
        graph = Graph((self.message("x"),), (Place(followed=True),))
        after = Place(waits="x", takes=True)
        replaced = delivery.message._replace(task="other")
        self.settle(
            self.retry(delivery)._replace(
                phase=Phase.WAITING, retry=replaced, graph=graph, place=after, why="replaced"
            )
        )

        x = self.claim_one()
        assert x.message.id == "x"
        self.succeed(x)
        a = self.claim_one()
        assert (a.message.id, a.message.task, a.inputs.result) == ("a", "other", b"x")
        self.succeed(a)
        assert self.claim_one().message.id == "b"

    def test_a_replacement_with_a_void_receipt_is_refused_whole(self) -> None:
        self.send("a", "z")
        a, z = self.claim()
        self.broker.release([a.receipt])
        graph = Graph((self.message("x"), self.message("y", priority=3)), (Place(), Place()))
        graph = graph._replace(groups=(Group("g"), Group("h", outer="g")))
        lost = self.retry(a)._replace(graph=graph, place=Place(waits="x"), why="replaced")

        assert self.settle(lost, self.success(z)) == [a.receipt]
        assert self.known("x", "y") == []
        assert (self.phase("a"), self.phase("z")) == (Phase.READY, Phase.SUCCEEDED)

    def test_a_task_that_is_replaced_by_one_task_loses_its_inputs(self) -> None:
        self.chain("a", "b", "c")
        self.succeed(self.claim_one())
        self._replace(self.claim_one(), Place())

        b = self.claim_one()
        assert (b.message.id, b.message.task, b.inputs) == ("b", "other", None)
        self.succeed(b)
        assert self.claim_ids() == ["c"]

    def test_a_body_that_is_replaced_no_longer_keeps_its_header(self) -> None:
        self.chord("a")
        self.succeed(self.claim_one())
        body = self.claim_one()
        self._replace(body, Place(waits="x", takes=True), "x")
        self.clock.advance(1e6)
        assert self.broker.sweep(10) == 1

        self.succeed(self.claim_one())
        assert self.claim_ids() == ["body"]

    def _replace(self, delivery: Delivery, place: Place, *others: str) -> None:
        """Settle it as replaced by a task `other` in `place`, and by `others` before that."""
        messages = tuple(self.message(id) for id in others)
        graph = Graph(messages, tuple(Place(followed=True) for _ in others))
        phase = Phase.READY if place.waits is None else Phase.WAITING
        again = self.retry(delivery)._replace(phase=phase, graph=graph, place=place)
        self.settle(again._replace(retry=delivery.message._replace(task="other"), why="replaced"))

    # purging

    def test_purge_leaves_tasks_that_it_has_woken_and_takes_scheduled_ones(self) -> None:
        later = self.clock() + 9
        self.broker.enqueue([self.message("other", queue="other", eta=later - 1)])
        self.send_graph({"a": Place(followed=True), "errback": Place(waits="a", on_failure=1)})
        self.broker.enqueue([self.message("later", eta=later)])
        queue = self.message("a").queue

        assert self.broker.purge([queue]) == 2
        assert self.phase("errback") is Phase.READY
        assert self.known("other", "later") == ["other"]

    # reviving

    def test_a_revived_task_goes_on_with_its_chain(self) -> None:
        self.chain("a", "b", "c")
        self.end(self.claim_one(), Phase.DEAD)
        self.broker.revive(["a"])
        self.succeed(self.claim_one())
        self.succeed(self.claim_one())

        assert self.claim_ids() == ["c"]

    def test_a_revived_member_goes_on_with_its_group(self) -> None:
        self.send_graph(
            {
                "a": Place(group="g", position=0),
                "b": Place(group="g", position=1),
                "body": Place(waits="g", barrier=True, takes=True),
            },
            Group("g"),
        )
        a, b = self.claim()
        self.end(a, Phase.DEAD)
        self.succeed(b)
        assert self.phase("body") is Phase.SKIPPED
        self.broker.revive(["a"])
        self.succeed(self.claim_one())

        assert [each.result for each in self.claim_one().inputs] == [b"a", b"b"]
