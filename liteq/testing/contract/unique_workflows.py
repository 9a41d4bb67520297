"""The contract of unique keys of periodic tasks, of tasks in workflows, and of revived ones."""

from ...model.entry import Entry, Fired, Firing
from ...model.graph import Graph, Group, Place
from ...model.message import Delivery, Message
from ...model.options import options_of
from ...model.unique import same_end
from ...states import Phase
from .harness import ids
from .unique_harness import UniqueHarness

MEMBER, SECOND = Place(group="g"), Place(group="g", position=1)
BODY = Place(waits="g", barrier=True, takes=True)


class UniqueWorkflows(UniqueHarness):
    """A task of a workflow asks for its key when it can run. If another task has it, it does not
    run: it ends as that one does."""

    def graph(self, *tasks: tuple[Message, Place], groups: tuple[Group, ...] = ()) -> Graph:
        """Return a workflow."""
        messages, places = zip(*tasks, strict=True)
        return Graph(messages, places, groups)

    def chord_of(self, *members: Message, forgiving: bool = False) -> Graph:
        """Return a chord of these members, and of `body`."""
        places = [Place(group="g", position=n) for n in range(len(members))]
        tasks = [*zip(members, places, strict=True), (self.message("body"), BODY)]
        return self.graph(*tasks, groups=(Group("g", forgiving=forgiving),))

    def same(self, delivery: Delivery) -> tuple[int, bytes | None]:
        """Return the phase and the result of the task as which a delivery is to end."""
        end = same_end(delivery.inputs)
        assert end is not None
        return end.phase, end.result

    # members and first steps

    def test_a_member_whose_key_is_taken_has_the_result_of_the_task_that_has_it(self) -> None:
        self.answer("a")
        assert self.broker.enqueue_graph(self.chord_of(self.keyed("x"), self.message("y"))) == {
            "x": "a"
        }
        assert self.phase("x") is Phase.WAITING
        a, y = self.claim()
        self.succeed(y, a)

        x = self.claim_one()
        assert (x.message.id, self.same(x)) == ("x", (Phase.SUCCEEDED, b"a"))
        self.end(x, Phase.SUCCEEDED, b"a")
        body = self.claim_one()
        assert [each.result for each in body.inputs] == [b"a", b"y"]

    def test_of_members_of_one_key_one_runs(self) -> None:
        members = [self.keyed(f"m{n}") for n in range(3)]
        assert self.broker.enqueue_graph(self.chord_of(*members)) == {"m1": "m0", "m2": "m0"}

        self.succeed(self.claim_one())
        for delivery in self.claim():
            assert self.same(delivery) == (Phase.SUCCEEDED, b"m0")
            self.end(delivery, Phase.SUCCEEDED, b"m0")
        assert self.claim_ids() == ["body"]

    def test_of_thousands_of_members_of_one_key_one_runs(self) -> None:
        members = [self.keyed(f"m{n:04}") for n in range(1200)]
        answers = self.broker.enqueue_graph(self.chord_of(*members))

        assert answers == {each.id: "m0000" for each in members[1:]}
        self.succeed(self.claim_one())
        assert len(self.claim(2000)) == 1199

    def test_a_member_fails_as_the_task_does_that_has_its_key(self) -> None:
        for phase in Phase:
            if phase.final:
                name = phase.name
                self.answer(f"{name} a")
                self.broker.enqueue_graph(self.graph((self.keyed(f"{name} x"), MEMBER)))
                self.end(self.claim_one(), phase)
                x = self.claim_one()
                assert x.message.id == f"{name} x"
                assert self.same(x)[0] == phase
                self.end(x, Phase.FAILED)

    def test_a_member_ends_as_one_that_was_revoked_before_it_ran(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.chord_of(self.keyed("x")))
        self.broker.cancel(["a"], 60)

        assert self.same(self.claim_one()) == (Phase.CANCELLED, None)

    def test_what_a_revoked_task_had_reported_is_no_result(self) -> None:
        self.answer("a")
        self.broker.report("a", "PROGRESS", b"half", "json")
        self.broker.enqueue_graph(self.chord_of(self.keyed("x")))
        self.broker.cancel(["a"], 60)

        assert self.same(self.claim_one()) == (Phase.CANCELLED, None)

    def test_a_member_takes_the_result_of_a_task_that_has_ended_and_keeps_its_key(self) -> None:
        self.answer("a", until=60.0)
        self.succeed(self.claim_one())
        self.broker.enqueue_graph(self.chord_of(self.keyed("x", until=60.0)))

        x = self.claim_one()
        assert (x.message.id, self.same(x)) == ("x", (Phase.SUCCEEDED, b"a"))

    def test_a_member_that_waits_for_the_end_of_another_task_can_be_revoked(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.chord_of(self.keyed("x")))
        self.broker.cancel(["x"], 60)

        assert self.phases("x", "body") == [Phase.CANCELLED, Phase.SKIPPED]
        self.succeed(self.claim_one())
        assert self.claim() == []

    def test_a_result_that_a_member_is_to_have_is_kept(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.graph((self.keyed("x"), MEMBER)))
        self.end(self.claim_one(), Phase.SUCCEEDED)
        self.clock.advance(1e6)
        assert self.broker.sweep(10) == 0
        assert self.broker.forget(["a"]) == 0
        self.end(self.claim_one(), Phase.SUCCEEDED)

        assert self.broker.sweep(10) == 1

    def test_an_errback_is_told_of_the_arguments_that_the_task_was_given(self) -> None:
        errback = self.message("errback"), Place(waits="x", on_failure=1)
        x = self.keyed("x", then="replace"), Place(followed=True)
        self.broker.enqueue_graph(self.graph(x, errback))
        assert self.answer("a", then="replace", payload=b"newer", expires=self.clock() + 9) == "x"
        self.end(self.claim_one(), Phase.FAILED)

        failed = Message(*self.claim_one().inputs.message)
        assert failed == self.record("x").message
        assert failed.payload == b"newer"

    def test_members_that_are_revoked_with_the_task_that_has_their_key_end_at_once(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.graph((self.keyed("x"), MEMBER), (self.keyed("y"), SECOND)))
        assert sorted(self.broker.cancel(["a", "x"], 60)) == ["a", "x"]

        assert self.phases("a", "x", "y") == [Phase.CANCELLED, Phase.CANCELLED, Phase.READY]
        assert self.record("x").woken_by is None
        assert self.same(self.claim_one())[0] == Phase.CANCELLED

    def test_a_member_does_not_keep_its_key_from_others(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.graph((self.keyed("x"), MEMBER)))
        self.end(self.claim_one(), Phase.SUCCEEDED)

        assert self.phase("x") is Phase.READY
        assert self.is_free()

    def test_a_member_has_its_key_as_any_task_has(self) -> None:
        self.broker.enqueue_graph(self.chord_of(self.keyed("x"), self.message("y")))
        assert self.answer("a") == "x"
        x, y = self.claim()
        self.end(y, Phase.SUCCEEDED)
        self.end(x, Phase.SUCCEEDED)

        assert self.claim_ids() == ["body"]
        assert self.is_free()

    def test_a_workflow_of_which_a_task_is_refused_is_not_stored(self) -> None:
        self.answer("a")
        graph = self.chord_of(self.message("y"), self.keyed("x", then="raise"))
        error = self.refusal_of(graph=graph)
        assert error is not None
        assert error.task_id == "a"
        assert self.known("x", "y", "body") == []

        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert self.broker.enqueue_graph(graph) == {}
        assert self.claim_ids() == ["y", "x"]

    def test_a_member_gives_its_arguments_to_the_task_that_waits(self) -> None:
        later = self.clock() + 60
        self.answer("a", then="replace", eta=later)
        self.answer("b", "other", then="replace")
        x = self.keyed("x", then="replace", payload=b"x")
        y = self.keyed("y", "other", then="replace", payload=b"y", eta=later)
        assert self.broker.enqueue_graph(self.chord_of(x, y)) == {"x": "a", "y": "b"}

        assert [self.record(id).message.payload for id in ("a", "b")] == [b"x", b"y"]
        assert self.phases("a", "b") == [Phase.READY, Phase.SCHEDULED]
        self.succeed(self.claim_one())
        assert self.same(self.claim_one()) == (Phase.SUCCEEDED, b"a")

    def test_a_member_waits_for_the_one_that_runs_and_then_runs_itself(self) -> None:
        self.answer("a", then="coalesce")
        running = self.claim_one()
        assert self.broker.enqueue_graph(self.chord_of(self.keyed("x", then="coalesce"))) == {}
        assert self.answer("b", then="coalesce", payload=b"b") == "x"
        self.end(running, Phase.SUCCEEDED)

        x = self.claim_one()
        assert (x.message.payload, x.inputs) == (b"b", None)
        self.end(x, Phase.SUCCEEDED)
        assert self.claim_ids() == ["body"]

    def test_a_member_may_wait_for_one_that_waits_itself(self) -> None:
        self.answer("a", then="coalesce")
        running = self.claim_one()
        self.answer("b", then="coalesce")
        self.broker.enqueue_graph(self.chord_of(self.keyed("x", then="coalesce")))
        self.end(running, Phase.SUCCEEDED)
        self.succeed(self.claim_one())

        assert self.same(self.claim_one()) == (Phase.SUCCEEDED, b"b")

    # later steps

    def test_a_step_asks_for_its_key_when_it_can_run(self) -> None:
        steps = (
            (self.keyed("a"), Place(followed=True)),
            (self.message("b"), Place(waits="a", followed=True)),
        )
        last = self.keyed("c"), Place(waits="b", takes=True)
        self.broker.enqueue_graph(self.graph(*steps, last))
        assert self.answer("x") == "a"
        self.succeed(self.claim_one())
        assert self.is_free()
        self.succeed(self.claim_one())

        c = self.claim_one()
        assert c.inputs.result == b"b"
        assert self.answer("y") == "c"
        self.end(c, Phase.SUCCEEDED)
        assert self.is_free()

    def test_a_step_whose_key_is_taken_has_the_result_of_the_task_that_has_it(self) -> None:
        for then in ("skip", "replace", "coalesce", "raise"):
            a, first, step, last = (f"{then} {name}" for name in ("a", "first", "step", "last"))
            self.answer(a, then=then)
            self.broker.enqueue_graph(
                self.graph(
                    (self.message(first), Place(followed=True)),
                    (self.keyed(step, then=then), Place(waits=first, takes=True, followed=True)),
                    (self.message(last), Place(waits=step, takes=True)),
                )
            )
            holder, before = self.claim()
            self.broker.release([holder.receipt])
            self.succeed(before)
            assert self.phase(step) is Phase.WAITING
            assert self.record(a).message.payload == b"payload"
            self.succeed(self.claim_one())
            follower = self.claim_one()
            assert self.same(follower) == (Phase.SUCCEEDED, a.encode())
            self.end(follower, Phase.SUCCEEDED, b"same")

            assert self.claim_one().inputs.result == b"same"

    def test_a_step_that_waits_for_the_one_that_runs_takes_what_it_would_have_taken(self) -> None:
        self.answer("a", then="coalesce")
        running = self.claim_one()
        places = Place(followed=True), Place(waits="first", takes=True)
        messages = self.message("first"), self.keyed("step", then="coalesce")
        self.broker.enqueue_graph(Graph(messages, places))
        self.succeed(self.claim_one())
        assert self.claim() == []
        self.end(running, Phase.FAILED)

        assert self.claim_one().inputs.result == b"first"

    def test_a_step_with_a_countdown_keeps_it_and_its_key(self) -> None:
        places = Place(followed=True), Place(waits="first", delay=60.0)
        self.broker.enqueue_graph(Graph((self.message("first"), self.keyed("step")), places))
        self.succeed(self.claim_one())

        assert self.phase("step") is Phase.SCHEDULED
        assert self.answer("b") == "step"

    def test_a_step_that_is_given_arguments_takes_no_others(self) -> None:
        places = Place(followed=True), Place(waits="first", takes=True)
        messages = self.message("first"), self.keyed("step", then="replace")
        self.broker.enqueue_graph(Graph(messages, places))
        self.succeed(self.claim_one())
        assert self.answer("a", then="replace", payload=b"whole") == "step"
        step = self.claim_one()
        assert step.message.payload == b"whole"
        assert options_of(step.message)["immutable"] is True

        self.settle(self.retry(step))
        again = self.claim_one()
        assert again.message == self.record("step").message
        assert again.message.payload == b"whole"
        assert options_of(again.message)["immutable"] is True

    def test_a_step_that_is_skipped_had_no_key(self) -> None:
        places = Place(followed=True), Place(waits="first")
        self.broker.enqueue_graph(Graph((self.message("first"), self.keyed("step")), places))
        self.answer("a")
        first, a = self.claim()
        self.end(first, Phase.FAILED)

        assert self.phase("step") is Phase.SKIPPED
        assert self.answer("b") == "a"
        self.end(a, Phase.SUCCEEDED)
        assert self.is_free()

    # no task waits for itself

    def test_a_task_is_not_replaced_by_what_would_wait_for_it(self) -> None:
        self.answer("r")
        delivery = self.claim_one()
        self._replaced(delivery, self.keyed("x"))
        assert self.answer("b") == "x"

        x = self.claim_one()
        assert (x.message.id, x.inputs) == ("x", None)
        self.succeed(x)
        assert self.answer("b") == "r"
        assert self.claim_one().inputs.result == b"x"

    def test_two_tasks_that_are_replaced_do_not_wait_for_each_other(self) -> None:
        self.answer("r1", "k1")
        self.answer("r2", "k2")
        r1, r2 = self.claim()
        self._replaced(r1, self.keyed("x1", "k2"))
        assert self.phase("x1") is Phase.WAITING
        self._replaced(r2, self.keyed("x2", "k1"))

        assert self.claim_one().message.id == "x2"

    def test_a_task_does_not_wait_for_a_group_that_waits_for_it(self) -> None:
        self.answer("r", then="coalesce")
        delivery = self.claim_one()
        self.answer("w", then="coalesce")
        graph = self.graph((self.keyed("x", then="coalesce"), MEMBER), groups=(Group("g"),))
        place = Place(waits="g", barrier=True)
        again = self.retry(delivery)._replace(phase=Phase.WAITING, graph=graph, place=place)
        self.settle(again)

        x = self.claim_one()
        assert (x.message.id, x.inputs) == ("x", None)
        self.succeed(x)
        self.end(self.claim_one(), Phase.SUCCEEDED)
        assert self.claim_ids() == ["w"]

    def _replaced(self, delivery: Delivery, message: Message) -> None:
        graph = self.graph((message, Place(followed=True)))
        place = Place(waits=message.id, takes=True)
        again = self.retry(delivery)._replace(phase=Phase.WAITING, graph=graph, place=place)
        assert self.settle(again._replace(why="replaced")) == []

    # periodic tasks

    def fired(self, id: str, message: Message) -> Fired:
        """Fire an entry that sends `message`, with this id; return what became of it."""
        if not self.broker.entry("e"):
            now = self.clock()
            self.broker.schedule([Entry("e", '{"every": 60}', message, now, now, now)])
        entry = self.broker.entry("e")
        assert entry is not None
        after = entry._replace(runs=entry.runs + 1, last=self.clock(), last_id=id)
        (fired,) = self.broker.fire([Firing(after, message._replace(id=id))])
        return fired

    def test_a_periodic_task_whose_key_is_taken_is_passed_over(self) -> None:
        for then in ("skip", "replace", "raise"):
            self.answer(then, then=then)
            assert self.fired("run", self.keyed("", then=then, payload=b"p")) is Fired.HELD
            assert self.known("run") == []
            assert self.record(then).message.payload == b"payload"
            self.end(self.claim_one(), Phase.SUCCEEDED)
        entry = self.broker.entry("e")
        assert entry is not None
        assert (entry.runs, entry.last_id) == (0, None)

        assert self.fired("run", self.keyed("")) is Fired.DONE
        assert self.answer("b") == "run"
        assert self.fired("again", self.keyed("")) is Fired.HELD

    def test_a_periodic_task_may_wait_for_the_one_that_runs(self) -> None:
        message = self.keyed("", then="coalesce")
        assert self.fired("one", message) is Fired.DONE
        running = self.claim_one()
        assert self.fired("two", message) is Fired.DONE
        assert self.fired("three", message) is Fired.HELD
        self.end(running, Phase.SUCCEEDED)

        assert self.claim_one().message.id == "two"

    # reviving

    def test_a_revived_task_has_its_key_again(self) -> None:
        for phase in Phase:
            if phase > Phase.SUCCEEDED:
                self.answer(phase.name)
                self.end(self.claim_one(), phase)
                assert self.is_free()
                assert self.broker.revive([phase.name]) == [phase.name]
                assert self.answer("b") == phase.name
                self.end(self.claim_one(), Phase.SUCCEEDED)
                assert self.is_free()

    def test_a_revived_task_whose_key_is_taken_by_now_ends_as_the_one_that_has_it(self) -> None:
        for phase in Phase:
            if phase > Phase.SUCCEEDED:
                dead, other = phase.name, f"{phase.name} other"
                self.answer(dead)
                self.end(self.claim_one(), phase)
                self.answer(other)
                assert self.broker.revive([dead]) == [dead]
                assert self.phase(dead) is Phase.WAITING
                self.succeed(self.claim_one())

                follower = self.claim_one()
                assert self.same(follower) == (Phase.SUCCEEDED, other.encode())
                self.end(follower, Phase.SUCCEEDED)

    def test_a_revived_task_with_newer_arguments_may_end_as_another_one(self) -> None:
        self.answer("dead", then="replace")
        self.answer("newer", then="replace", payload=b"newer")
        self.end(self.claim_one(), Phase.FAILED)
        self.answer("other")
        self.broker.revive(["dead"])
        self.succeed(self.claim_one())
        follower = self.claim_one()

        assert follower.message.payload == b"newer"
        assert self.same(follower) == (Phase.SUCCEEDED, b"other")

    def test_a_revived_follower_asks_for_its_key_anew(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.graph((self.keyed("x"), MEMBER)))
        self.end(self.claim_one(), Phase.FAILED)
        self.end(self.claim_one(), Phase.FAILED)
        assert self.broker.revive(["x"]) == ["x"]

        x = self.claim_one()
        assert x.inputs is None
        assert self.answer("b") == "x"

    def test_a_revived_follower_does_not_keep_the_task_that_it_followed(self) -> None:
        self.answer("a")
        self.broker.enqueue_graph(self.graph((self.keyed("x"), MEMBER)))
        self.end(self.claim_one(), Phase.FAILED)
        self.end(self.claim_one(), Phase.FAILED)
        self.broker.revive(["x"])

        assert self.broker.forget(["a"]) == 1

    def test_tasks_of_one_key_are_revived_together(self) -> None:
        for id in ("a", "b"):
            self.answer(id)
            self.end(self.claim_one(), Phase.FAILED)
        assert self.broker.revive(["a", "b"]) == ["a", "b"]

        assert ids(self.claim()) == ["a"]
