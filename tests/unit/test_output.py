"""The lines that a run prints: how they are cut, numbered and bounded, and how they are packed."""

import sys
import threading
from typing import Any

import pytest

from liteq.model.checks import UNREADABLE
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.output import (
    LONGEST,
    LONGEST_LINE,
    MOST_BYTES,
    MOST_LINES,
    Output,
    OutputLine,
    decode_lines,
)
from liteq.pools.output import Outputs, OutputUpdate, RunOutput, pack, unpack

DELIVERY = Delivery(Message("a", "task", b"", "json", "celery"), Receipt(7, 9), attempts=2)


class Run:
    """One run, and what it has printed."""

    def __init__(self) -> None:
        self.outputs = Outputs()
        self.output = RunOutput(DELIVERY, self.outputs)

    def print(self, *texts: str, stream: int = 1) -> None:
        for text in texts:
            self.output.write(stream, text)

    def take(self) -> Output | None:
        updates = self.outputs.take(at_once=True)
        assert len(updates) < 2
        return updates[0].output if updates else None

    def take_lines(self) -> list[OutputLine]:
        output = self.take()
        return [] if output is None else decode_lines([output])

    def texts(self) -> list[str]:
        """End the run; return the lines that were not taken."""
        self.output.ended = True
        lines = self.take_lines()
        assert not self.outputs.open
        return [line.text for line in lines]


@pytest.fixture
def run() -> Run:
    return Run()


# lines


def test_a_run_that_prints_nothing_has_no_output(run: Run) -> None:
    assert not run.outputs.open
    assert run.texts() == []


def test_a_line_ends_with_its_newline_or_with_the_run(run: Run) -> None:
    run.print("a", " b\nc\n\n", "d", "e")

    assert run.texts() == ["a b", "c", "", "de"]


def test_the_two_streams_and_the_log_do_not_mix_their_lines(run: Run) -> None:
    run.print("out")
    run.print("err", stream=2)
    run.output.log("INFO", "logged\non two lines")
    run.print("put\n")
    run.print("or\n", stream=2)

    assert [(line.level, line.text) for line in run.take_lines()] == [
        ("INFO", "logged"),
        ("INFO", "on two lines"),
        (None, "output"),
        (None, "error"),
    ]


def test_threads_do_not_mix_their_lines(run: Run) -> None:
    both = threading.Barrier(2)

    def write(letter: str) -> None:
        for _ in range(5):
            both.wait()
            run.print(letter)
        run.print("\n")

    threads = [threading.Thread(target=write, args=letter) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(run.texts()) == ["aaaaa", "bbbbb"]


def test_of_a_line_that_is_written_over_the_last_state_is_kept(run: Run) -> None:
    run.print("10 %", "\r20 %", "\r", "30 %\r\nwindows\r\n", "a\rb\r")

    assert run.texts() == ["30 %", "windows", "b"]


def test_a_progress_bar_that_never_ends_its_line_stays_small(run: Run) -> None:
    for n in range(100_000):
        run.print(f"\r{n:9} of 100000")

    assert run.texts() == ["    99999 of 100000"]


def test_lines_are_numbered_and_have_the_number_of_their_attempt(run: Run) -> None:
    run.print("a\nb\n")
    first = run.take()
    run.print("c\n")
    second = run.take()

    assert first is not None
    assert second is not None
    assert [line[:2] + line[4:] for line in decode_lines([first, second])] == [
        (3, 1, "a"),
        (3, 2, "b"),
        (3, 3, "c"),
    ]
    assert (first.attempt, first.begins, first.keep_from) == (3, True, 1)
    assert (second.attempt, second.begins, second.keep_from) == (3, False, 1)


def test_what_comes_after_the_end_is_dropped(run: Run) -> None:
    run.print("a\n")
    run.output.ended = True
    run.print("late\n")
    run.output.log("INFO", "late")
    assert run.texts() == ["a"]

    run.print("later\n")
    assert not run.outputs.open


# bounds


def test_only_the_last_lines_are_kept(run: Run) -> None:
    for n in range(1, 5 * MOST_LINES + 1):
        run.print(f"{n}\n")
    output = run.take()

    assert output is not None
    lines = decode_lines([output])
    assert len(lines) == MOST_LINES
    assert all(line.number == int(line.text) for line in lines)
    assert (output.last, output.keep_from) == (5 * MOST_LINES, 4 * MOST_LINES + 1)


def test_lines_that_were_taken_count_as_well(run: Run) -> None:
    run.print(*["x\n"] * 600)
    first = run.take()
    run.print(*["y\n"] * 600)
    second = run.take()

    assert first is not None
    assert second is not None
    assert (first.last, second.keep_from, second.last) == (600, 201, 1200)
    assert [line.number for line in decode_lines([first, second])] == [*range(201, 1201)]


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\ud800", "\0", "\x1b"])
def test_no_more_bytes_are_kept_than_allowed(run: Run, letter: str) -> None:
    for _ in range(2 * MOST_BYTES // 1000):
        run.print(letter * 1000, "\n")
    size = sum(len(line.text.encode()) for line in run.take_lines())

    assert MOST_BYTES * 0.9 < size <= MOST_BYTES


def test_a_line_of_any_length_is_cut_into_several(run: Run) -> None:
    run.print("x" * (2 * LONGEST_LINE + 1) + "\ny")

    assert list(map(len, run.texts())) == [LONGEST_LINE, LONGEST_LINE, 1, 1]


def test_of_a_line_of_a_hundred_million_letters_the_end_is_kept(run: Run) -> None:
    run.print("x" * 100_000_000, "the end")
    texts = run.texts()

    assert texts[-1].endswith("the end")
    assert sum(map(len, texts)) <= MOST_BYTES
    assert max(map(len, texts)) <= LONGEST_LINE


def test_of_a_million_lines_at_once_the_last_are_kept_and_all_are_counted(run: Run) -> None:
    run.print("first\n", "x\n" * 1_000_000)
    output = run.take()

    assert output is not None
    assert (len(decode_lines([output])), output.last) == (MOST_LINES, 1_000_001)


def test_a_line_that_is_written_letter_by_letter_for_ever_stays_small(run: Run) -> None:
    for _ in range(MOST_BYTES + LONGEST_LINE):
        run.print("x")
    (lines,) = run.outputs.open.values()

    assert sum(sys.getsizeof(text) for text in lines._unfinished.values()) < 2 * LONGEST_LINE
    assert sum(map(len, run.texts())) == MOST_BYTES


def test_what_no_store_can_keep_is_escaped(run: Run) -> None:
    run.print("half a \ud83d pair\n")

    assert run.texts() == [r"half a \ud83d pair"]


# taking


def test_many_threads_may_print_while_lines_are_taken(run: Run) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    found: list[OutputLine] = []
    try:
        threads = [
            threading.Thread(target=lambda: [run.print(f"{n}\n") for n in range(200)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            found += run.take_lines()
    finally:
        sys.setswitchinterval(before)
        for thread in threads:
            thread.join()
    found += run.take_lines()

    assert sorted(line.number for line in found) == list(range(1, 801))
    assert sorted(int(line.text) for line in found) == sorted([*range(200)] * 4)


def test_what_is_not_due_is_left(run: Run) -> None:
    run.print("a\n")

    assert run.outputs.take() == []
    run.output.ended = True
    assert len(run.outputs.take()) == 1


# the way to the supervisor


def test_output_that_was_packed_is_unpacked_as_it_was(run: Run) -> None:
    run.print("a\n")
    run.output.log("INFO", "b")
    updates = run.outputs.take(at_once=True)

    assert unpack([DELIVERY], list(map(pack, updates))) == updates


def test_output_of_a_task_that_is_not_held_is_left_out(run: Run) -> None:
    run.print("a\n")
    updates = run.outputs.take(at_once=True)
    other = DELIVERY._replace(token=10)

    assert unpack([other], list(map(pack, updates))) == []


@pytest.mark.parametrize(
    "output",
    [
        (0, 1, "[]", True),
        (1, 0, "[]", True),
        (1, 2, "[]", True),
        (2**60, 1, "[]", True),
        ("1", 1, "[]", True),
        (True, 1, "[]", True),
        (1, 1.0, "[]", True),
        (1, 1, b"[]", True),
        (1, 1, None, True),
        (1, 1, "\ud800", True),
        (1, 1, "x" * (LONGEST + 1), True),
        (1, 1, "[]", 1),
        (1, 1, "[]"),
        (1, 1, "[]", True, 1),
        "text",
        None,
    ],
)
def test_what_no_child_of_ours_sends_is_refused(output: Any) -> None:
    with pytest.raises(UNREADABLE):
        unpack([DELIVERY], [((7, 9), output)])


@pytest.mark.parametrize("letter", ["x", "\0", '"', "\\", "é", "\U0001f600", "\ud800"])
def test_the_most_that_is_kept_of_a_run_gets_through(run: Run, letter: str) -> None:
    for _ in range(MOST_LINES):
        run.output.log("L" * 99, letter * (MOST_BYTES // MOST_LINES + 1))
    updates = run.outputs.take(at_once=True)

    assert unpack([DELIVERY], list(map(pack, updates))) == updates


def test_an_update_names_its_task(run: Run) -> None:
    run.print("a\n")
    (update,) = run.outputs.take(at_once=True)

    assert isinstance(update, OutputUpdate)
    assert update.delivery is DELIVERY
