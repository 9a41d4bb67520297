"""The contract of groups: what waits for one is woken once, by the last member to end."""

from ...execution.context import Context
from ...model.graph import Group, Members, Place
from ...model.message import Delivery, Message
from ...model.options import options_of
from ...states import Phase
from .workflow_harness import WorkflowHarness


class Groups(WorkflowHarness):
    """A group ends once, and never before its last member."""

    def test_the_body_of_a_group_is_ready_when_the_last_member_has_ended(self) -> None:
        self.chord("a", "b", "c")
        a, b, c = self.claim()
        self.succeed(c)
        self.succeed(a)
        assert self.claim() == []

        self.succeed(b)
        body = self.claim_one()
        assert (body.message.id, body.woken_by) == ("body", "b")
        assert [each.result for each in body.inputs] == [b"a", b"b", b"c"]

    def test_a_task_that_has_waited_keeps_its_place_among_those_that_are_claimed_with_it(
        self,
    ) -> None:
        self.chain("first", "second")
        self.send("later")
        first, _ = self.claim(limit=2)
        self.send("latest")
        self.succeed(first)
        assert [each.message.id for each in self.claim()] == ["second", "latest"]

    def test_a_group_of_thousands_ends_once_and_hands_on_all_results(self) -> None:
        members = [f"m{n:04}" for n in range(1200)]
        places = {id: Place(group="g", position=n) for n, id in enumerate(members)}
        places |= {f"i{n:04}": Place(group=f"inner{n // 2}", position=n % 2) for n in range(1200)}
        places["body"] = Place(waits="g", barrier=True, takes=True)
        inner = (Group(f"inner{n}", outer="g", position=1200 + n) for n in range(600))
        self.send_graph(places, Group("g"), *inner)
        while claimed := self.claim(limit=500):
            if claimed[0].message.id == "body":
                break
            self.succeed(*claimed)

        (body,) = claimed
        direct, nested = body.inputs[:1200], body.inputs[1200:]
        assert [each.result.decode() for each in direct] == members
        assert [each.result for two in nested for each in two] == [
            f"i{n:04}".encode() for n in range(1200)
        ]

    def test_a_group_of_thousands_that_is_sent_twice_is_stored_once(self) -> None:
        places = {f"m{n}": Place(group="g", position=n) for n in range(1200)}
        for _ in range(2):
            self.send_graph(places, Group("g"))

        assert sum(count.tasks for count in self.broker.counts()) == 1200
        assert len(self.broker.members("g").tasks) == 1200

    def test_members_that_end_together_wake_the_body_once(self) -> None:
        self.chord("a", "b")
        self.succeed(*self.claim())

        self.succeed(self.claim_one())
        assert self.claim() == []
        assert self.known("errback") == []

    def test_a_failed_member_fails_the_body_once_all_have_ended(self) -> None:
        self.chord("a", "b")
        a, b = self.claim()
        self.end(a, Phase.FAILED)
        assert self.phase("body") is Phase.WAITING

        self.succeed(b)
        body = self.record("body")
        assert (body.phase, body.woken_by) == (Phase.SKIPPED, "a")
        errback = self.claim_one()
        assert errback.message.id == "errback"
        assert errback.inputs[:2] == (Phase.SKIPPED, "json")
        assert (errback.inputs.result, errback.inputs.blame) == (b"error", "a")
        assert errback.inputs.message == tuple(body.message)

    def test_of_members_that_end_in_one_batch_the_last_wakes_the_body(self) -> None:
        self.chord("a", "b", "c")
        a, b, c = self.claim()
        self.succeed(b, c, a)

        assert self.claim_one().woken_by == "a"

    def test_of_several_members_that_failed_the_first_fails_the_body(self) -> None:
        self.chord("a", "b", "c")
        a, b, c = self.claim()
        self.succeed(a)
        self.settle(self.ended(c, Phase.FAILED), self.ended(b, Phase.DEAD))

        assert self.record("body").woken_by == "b"

    def test_a_revoked_member_fails_the_body(self) -> None:
        self.chord("a", "b")
        self.broker.cancel(["a"], keep=10)
        self.succeed(self.claim_one())

        assert self.phase("body") is Phase.SKIPPED
        assert self.claim_ids() == ["errback"]

    def test_a_forgiving_group_passes_failures_on(self) -> None:
        self.chord("a", "b", forgiving=True)
        a, b = self.claim()
        self.end(a, Phase.FAILED)
        self.succeed(b)

        body = self.claim_one()
        assert [each.phase for each in body.inputs] == [Phase.FAILED, Phase.SUCCEEDED]

    def test_a_forgiving_group_passes_on_why_members_were_skipped(self) -> None:
        places = {
            "a": Place(followed=True),
            "b": Place(waits="a", takes=True, group="g"),
            "body": Place(waits="g", barrier=True, takes=True),
        }
        self.send_graph(places, Group("g", forgiving=True))
        self.end(self.claim_one(), Phase.FAILED, b"why")

        (b,) = self.claim_one().inputs
        assert (b.phase, b.serializer, b.result) == (Phase.SKIPPED, "json", b"why")

    def test_a_member_that_ends_in_a_custom_state_does_not_fail_its_group(self) -> None:
        self.chord("a", "b")
        a, b = self.claim()
        self.settle(self.ended(a, Phase.SUCCEEDED)._replace(reported="IGNORED"))
        self.succeed(b)

        assert self.claim_ids() == ["body"]

    def test_a_group_can_grow_while_a_member_runs(self) -> None:
        self.chord("a", "b")
        a, b = self.claim()
        self.send_graph({"more": Place(group="g", position=9)})
        self.succeed(a, b)
        assert self.phase("body") is Phase.WAITING

        self.succeed(self.claim_one())
        assert [each.result for each in self.claim_one().inputs] == [b"a", b"b", b"more"]

    def test_a_retried_member_is_waited_for(self) -> None:
        self.chord("a", "b")
        a, b = self.claim()
        self.settle(self.retry(a))
        self.succeed(b)

        assert self.claim_ids() == ["a"]

    def test_nested_groups_become_nested_lists_of_inputs(self) -> None:
        places = {
            "a": Place(group="outer", position=0),
            "b": Place(group="inner", position=0),
            "c": Place(group="inner", position=1),
            "d": Place(group="outer", position=2),
            "body": Place(waits="outer", barrier=True, takes=True),
        }
        self.send_graph(places, Group("outer"), Group("inner", outer="outer", position=1))
        self.succeed(*self.claim())

        a, (b, c), d = self.claim_one().inputs
        assert [each.result for each in (a, b, c, d)] == [b"a", b"b", b"c", b"d"]

    def test_a_failure_in_an_inner_group_is_kept_for_the_body_of_a_forgiving_outer_one(
        self,
    ) -> None:
        places = {
            "a": Place(group="outer", position=0),
            "b": Place(group="inner", position=0),
            "body": Place(waits="outer", barrier=True, takes=True, followed=True),
        }
        inner = Group("inner", outer="outer", position=1)
        self.send_graph(places, Group("outer", forgiving=True), inner)
        a, b = self.claim()
        self.settle(self.ended(b, Phase.FAILED)._replace(keep_until=self.clock()))
        self.settle(self.ended(a, Phase.SUCCEEDED)._replace(keep_until=self.clock()))
        assert self.broker.sweep(9) == 0

        body = self.claim_one()
        first, (second,) = body.inputs
        assert (first.phase, second.phase) == (Phase.SUCCEEDED, Phase.FAILED)
        self.succeed(body)
        assert self.broker.sweep(9) == 2

    def test_a_chain_in_a_group_that_breaks_fails_the_group(self) -> None:
        places = {
            "a": Place(followed=True),
            "b": Place(waits="a", takes=True, group="g", position=0),
            "c": Place(group="g", position=1),
            "body": Place(waits="g", barrier=True, takes=True),
        }
        self.send_graph(places, Group("g"))
        a, c = self.claim()
        self.end(a, Phase.FAILED)
        self.succeed(c)

        assert [self.phase(id) for id in ("b", "body")] == [Phase.SKIPPED] * 2
        assert self.record("body").woken_by == "a"

    # membership

    def test_the_tasks_that_wait_for_a_group_can_be_listed(self) -> None:
        self.chord("a", "b")

        assert self.broker.dependents("g", group=True) == ["body"]
        assert self.broker.dependents("g") == []

    def test_the_members_of_a_group_can_be_listed(self) -> None:
        places = {
            "a": Place(group="outer", position=1),
            "b": Place(group="outer", position=0),
            "c": Place(group="inner"),
            "body": Place(waits="outer", barrier=True),
        }
        self.send_graph(places, Group("outer"), Group("inner", outer="outer", position=2))

        assert self.broker.members("outer") == Members(["b", "a"], ["inner"])
        assert self.broker.members("inner") == Members(["c"], [], "outer")
        assert self.broker.members("unknown") == Members([], [])

    # options

    def test_a_member_has_the_options_of_its_group_beside_its_own(self) -> None:
        places = {
            "a": Place(group="outer", position=3),
            "b": Place(group="inner", position=1),
            "body": Place(waits="outer", barrier=True),
        }
        outer = Group("outer", options='{"root_id": "a", "chord": "body"}')
        inner = Group("inner", "outer", 4, options='{"root_id": "a"}')
        self.send_graph(places, outer, inner, options='{"shadow": "mine"}')

        a, b = self.claim()
        of_a = {"root_id": "a", "chord": "body", "group_id": "outer", "group_index": 3}
        of_b = {"root_id": "a", "group_id": "inner", "group_index": 1}
        assert _options_in(a) == {**of_a, "shadow": "mine"}
        assert _options_in(b) == {**of_b, "shadow": "mine"}
        self.succeed(a, b)
        assert _options_in(self.claim_one()) == {"shadow": "mine"}

    def test_the_own_options_of_a_member_count_before_those_of_its_group(self) -> None:
        own = '{"root_id": "r", "group_id": "g", "group_index": 7, "chord": "c"}'
        group = Group("g", options='{"root_id": "x", "chord": "y"}')
        self.send_graph({"a": Place(group="g", position=7)}, group, options=own)

        expected = {"root_id": "r", "group_id": "g", "group_index": 7, "chord": "c"}
        assert _options_in(self.claim_one()) == expected

    def test_a_member_of_a_group_without_options_is_told_its_place(self) -> None:
        self.chord("a", "b")

        assert [_options_in(each) for each in self.claim()] == [
            {"group_id": "g", "group_index": n} for n in range(2)
        ]

    def test_a_member_has_the_options_of_its_group_at_every_attempt(self) -> None:
        group = Group("g", options='{"root_id": "r"}')
        self.send_graph({"a": Place(group="g"), "b": Place(waits="g", barrier=True)}, group)
        expected = {"root_id": "r", "group_id": "g", "group_index": 0}

        first = self.claim_one()
        assert _options_in(first) == expected
        self.broker.release([first.receipt])
        second = self.claim_one()
        assert _options_in(second) == expected

    def test_an_errback_of_a_member_is_told_the_options_of_the_group(self) -> None:
        places = {
            "a": Place(group="g", position=2, followed=True),
            "errback": Place(waits="a", on_failure=1),
            "body": Place(waits="g", barrier=True),
        }
        self.send_graph(places, Group("g", options='{"chord": "body"}'))
        self.end(self.claim_one(), Phase.FAILED)

        errback = self.claim_one()
        failed = Message._make(errback.inputs.message)
        expected = {"group_id": "g", "group_index": 2, "chord": "body"}
        assert options_of(failed) == expected


def _options_in(delivery: Delivery) -> dict[str, object]:
    """Return the options that the task has when it runs."""
    return Context(delivery).options
