"""The contract of output: `settle` with output, and `output`."""

from ...model.message import Delivery
from ...model.outcome import Settlement
from ...model.output import MOST_ATTEMPTS, MOST_LINES, Output, OutputLine, encode_lines
from ...states import Phase
from .harness import Harness, ids


class TaskOutput(Harness):
    """What tasks print is kept with them."""

    def printed(self, delivery: Delivery, output: Output) -> Settlement:
        """Return the settlement of a task that has printed something, and goes on."""
        return Settlement(delivery.receipt, Phase.RUNNING, self.clock(), output=output)

    def lines(
        self, *texts: str, attempt: int = 1, first: int = 1, keep_from: int = 1, begins: bool = True
    ) -> Output:
        """Return output of these lines, printed now."""
        lines = [(n, self.clock(), None, text) for n, text in enumerate(texts, first)]
        return Output(attempt, lines[-1][0], keep_from, encode_lines(lines), begins)

    def write(self, delivery: Delivery, output: Output) -> bool:
        """Store output of a task; return whether its claim still held."""
        return self.settle(self.printed(delivery, output)) == []

    def kept(self, id: str = "a", after: tuple[int, int] = (0, 0)) -> list[tuple[int, str]]:
        """Return the attempts and the texts of the lines that are kept."""
        return [(line.attempt, line.text) for line in self.broker.output(id, after)]

    def test_a_task_has_no_output_at_first_and_an_unknown_one_has_none(self) -> None:
        self.send("a")

        assert self.broker.output("a") == self.broker.output("unknown") == []

    def test_a_running_task_keeps_its_claim_while_its_output_is_stored(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        now = self.clock()
        lines = [(1, now, None, "printed"), (2, now + 0.25, "INFO", "logged")]
        first = Output(1, 2, 1, encode_lines(lines), begins=True)
        second = Output(1, 3, 1, encode_lines([(3, now + 1.5, "ERROR", "")]))
        before = self.record()

        assert self.write(delivery, first)
        assert self.write(delivery, second)

        assert self.broker.output("a") == [
            OutputLine(1, 1, now, None, "printed"),
            OutputLine(1, 2, now + 0.25, "INFO", "logged"),
            OutputLine(1, 3, now + 1.5, "ERROR", ""),
        ]
        assert self.record() == before
        assert self.settle(self.success(delivery)) == []

    def test_a_line_has_any_text(self) -> None:
        self.send("a")
        texts = ["ünïcode: 'quotes' \"and\" {braces} %s \\ \t", "\0 \x1b[31m \r \u2028", "x" * 8192]

        assert self.write(self.claim_one(), self.lines(*texts))

        assert self.kept() == [(1, text) for text in texts]

    def test_output_can_be_read_from_a_line_on(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.write(delivery, self.lines("one", "two"))
        self.write(delivery, self.lines("three", first=3, begins=False))
        self.settle(self.retry(delivery))
        self.write(self.claim_one(), self.lines("four", attempt=2))

        assert self.kept(after=(1, 1)) == [(1, "two"), (1, "three"), (2, "four")]
        assert self.kept(after=(1, 3)) == [(2, "four")]
        assert self.kept(after=(2, 1)) == []

    def test_each_attempt_has_output_of_its_own(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.write(delivery, self.lines("one", "two"))
        self.settle(self.retry(delivery))
        delivery = self.claim_one()
        self.write(delivery, self.lines("three", attempt=2))
        self.settle(self.success(delivery))

        assert self.kept() == [(1, "one"), (1, "two"), (2, "three")]

    def test_lines_before_the_first_that_is_kept_are_deleted(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.write(delivery, self.lines("one", "two", "three"))
        self.write(delivery, self.lines("four", first=4, keep_from=3, begins=False))
        assert self.kept() == [(1, "three"), (1, "four")]

        self.write(delivery, self.lines("nine", first=9, keep_from=8, begins=False))
        assert self.kept() == [(1, "nine")]

    def test_as_many_lines_as_are_kept_can_come_at_once_and_again_and_again(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        texts: list[str] = []
        for turn in range(3):
            first = turn * MOST_LINES + 1
            texts = [str(first + n) for n in range(MOST_LINES)]
            output = self.lines(*texts, first=first, keep_from=first, begins=turn == 0)
            assert self.write(delivery, output)

        assert self.kept() == [(1, text) for text in texts]

    def test_only_the_last_attempts_keep_their_output(self) -> None:
        self.send("a")
        for attempt in range(1, MOST_ATTEMPTS + 3):
            delivery = self.claim_one()
            self.write(delivery, self.lines("begins", "ends", attempt=attempt))
            self.settle(self.retry(delivery))

        assert sorted({line.attempt for line in self.broker.output("a")}) == list(
            range(3, MOST_ATTEMPTS + 3)
        )

    def test_a_start_replaces_what_an_interrupted_one_of_its_attempt_has_left(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.write(delivery, self.lines("one", "two", "three"))
        self.broker.release([delivery.receipt])
        again = self.claim_one()
        assert again.attempts == 0

        self.write(again, self.lines("once more"))

        assert self.kept() == [(1, "once more")]

    def test_output_of_a_lost_claim_is_refused_and_changes_nothing(self) -> None:
        self.send("a")
        old = self.claim_one()
        self.broker.release([old.receipt])
        assert not self.write(old, self.lines("between"))
        new = self.claim_one()

        assert not self.write(old, self.lines("old"))
        assert self.write(new, self.lines("new"))
        assert not self.write(old, self.lines("old", first=2, begins=False))
        assert self.kept() == [(1, "new")]
        assert self.settle(self.success(new)) == []

    def test_output_of_a_worker_that_is_dead_by_now_stays_and_it_can_write_no_more(self) -> None:
        self.send("a")
        worker = self.register_killable(self.broker)
        (delivery,) = self.broker.claim(self.claim_request()._replace(worker=worker))
        self.write(delivery, self.lines("its last words"))
        self.kill_worker(self.broker, worker)
        self.rescue()

        assert not self.write(delivery, self.lines("a ghost", first=2, begins=False))
        assert self.kept() == [(1, "its last words")]

    def test_output_of_a_task_that_is_to_run_again_is_refused(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.retry(delivery))

        assert not self.write(delivery, self.lines("late"))
        assert self.kept() == []

    def test_output_may_come_after_the_success_of_its_claim(self) -> None:
        # As where a task has completed in a transaction of its own.
        self.send("a")
        delivery = self.claim_one()
        self.settle(self.success(delivery))
        before = self.record()

        assert self.write(delivery, self.lines("late"))
        assert self.kept() == [(1, "late")]
        assert self.record() == before

    def test_output_is_written_with_the_end_of_its_task_and_with_that_of_others(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.send("c")
        batch = [self.printed(a, self.lines("bye")), self.success(a), self.success(b)]

        settled = self.broker.settle(batch, self.claim_request())

        assert settled.refused == []
        assert ids(settled.claimed) == ["c"]
        assert self.kept() == [(1, "bye")]
        assert [self.phase(id) for id in "ab"] == [Phase.SUCCEEDED, Phase.SUCCEEDED]

    def test_output_and_a_retry_may_be_in_one_batch(self) -> None:
        self.send("a")
        delivery = self.claim_one()

        assert self.settle(self.printed(delivery, self.lines("bye")), self.retry(delivery)) == []
        assert self.phase() is Phase.READY
        assert self.kept() == [(1, "bye")]

    def test_refused_output_leaves_the_rest_of_the_batch_as_it_is(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        self.broker.release([a.receipt])
        lost, ours = self.printed(a, self.lines("lost")), self.printed(b, self.lines("ours"))

        assert self.settle(lost, ours, self.success(b)) == [a.receipt]
        assert self.kept("a") == []
        assert self.kept("b") == [(1, "ours")]
        assert self.phase("b") is Phase.SUCCEEDED

    def test_output_outlives_a_failure_and_a_revival(self) -> None:
        self.send("a")
        delivery = self.claim_one()
        self.write(delivery, self.lines("one"))
        self.settle(self.success(delivery)._replace(phase=Phase.FAILED))
        self.broker.revive(["a"])
        again = self.claim_one()
        self.write(again, self.lines("two", attempt=again.attempts + 1))

        assert self.kept() == [(1, "one"), (2, "two")]

    def test_output_is_deleted_with_its_task(self) -> None:
        self.send("a", "b")
        a, b = self.claim()
        for each in (a, b):
            self.write(each, self.lines("one", "two"))
        self.settle(self.success(a), self.success(b, keep_until=self.clock()))

        assert self.broker.forget(["a"]) == 1
        assert self.broker.sweep(10) == 1
        assert self.kept("a") == self.kept("b") == []
        self.send("a", "b")
        assert self.kept("a") == self.kept("b") == []
