"""Progress: what a task says of itself, what is made of it, and how it is drawn."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import InvalidTaskError
from liteq.execution.pulse import Pulse
from liteq.execution.reporter import Reporter
from liteq.model.message import Receipt
from liteq.model.progress import Progress, ProgressReport, check_progress, of_json, to_json
from liteq.result.bar import line_of
from liteq.support.movingrate import MovingRate

RECEIPT = Receipt("a", 1)


class Sent:
    """A pulse that a test beats by hand, and what it has sent."""

    def __init__(self) -> None:
        self.reports: list[ProgressReport] = []
        self.to_end: list[Receipt] = []
        self.looks = 0
        self.pulse = Pulse(self.reports.extend, self._find, lambda: 7.0)
        self.reporter = Reporter(self.pulse, RECEIPT)

    def _find(self, receipts: Any) -> list[Receipt]:
        self.looks += 1
        return [each for each in receipts if each in self.to_end]

    def said(self) -> tuple[float, float | None, str] | None:
        """What would be sent now."""
        progress = self.reporter.current(0.0)
        return progress and (progress.done, progress.total, progress.text)

    def sent(self) -> list[tuple[float, float | None, str]]:
        return [(each.done, each.total, each.text) for _, each in self.reports]


# values


def test_fraction_and_remaining_follow_from_done_total_and_rate() -> None:
    assert Progress(3, 10, 0.5).fraction == 0.3
    assert Progress(3, 10, 0.5).remaining == 14
    assert Progress(3).fraction is None
    assert Progress(3, rate=1.0).remaining is None
    assert Progress(3, 10).remaining is None
    assert Progress(3, 10, 0.0).remaining is None
    assert (Progress(10, 10).fraction, Progress(10, 10).remaining) == (1.0, 0.0)
    assert (Progress(12, 10, 1.0).fraction, Progress(12, 10, 1.0).remaining) == (1.0, 0.0)
    assert Progress(0, 0).fraction == 1.0
    assert Progress(-1, 10).fraction == 0.0


def test_a_progress_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Progress(1).done = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        Progress(float("nan")),
        Progress(float("inf")),
        Progress(1, 2**60),
        Progress("1"),  # type: ignore[arg-type]
        Progress(1, text="\ud800"),
        Progress(1, text="x" * 1001),
        Progress(1, at=None),  # type: ignore[arg-type]
    ],
)
def test_what_no_store_could_keep_is_no_progress(wrong: Progress) -> None:
    with pytest.raises(InvalidTaskError):
        check_progress(wrong)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"done": "x"}', '{"other": 1}', '{"done": 1e999}']
)
def test_stored_progress_that_cannot_be_read_is_none(text: str) -> None:
    assert of_json(text) is None


def test_progress_is_stored_as_json() -> None:
    progress = Progress(3, 10, None, "reading", 5.5)

    assert to_json(progress) == '{"done": 3, "total": 10, "text": "reading", "at": 5.5}'
    assert of_json(to_json(progress)) == progress


# the rate


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    rate = MovingRate()
    rate.add(0.0, 0)
    assert rate.per_second is None
    rate.add(10.0, 10)
    assert rate.per_second == 1.0
    for n in range(1, 100):
        rate.add(10.0 + n, 10 + 5 * n)
    assert rate.per_second == pytest.approx(5.0)


def test_a_rate_begins_anew_when_the_number_falls() -> None:
    rate = MovingRate()
    rate.add(0.0, 0)
    rate.add(1.0, 100)
    rate.add(2.0, 0)
    assert rate.per_second is None
    rate.add(4.0, 1)
    assert rate.per_second == 0.5


def test_the_rate_of_what_grows_seldom_goes_back_to_the_time_before() -> None:
    rate = MovingRate()
    for n in range(5):
        rate.add(100.0 * n, n)
    assert rate.per_second == 0.01


def test_a_rate_keeps_few_points() -> None:
    rate = MovingRate()
    for n in range(10_000):
        rate.add(n / 100, n)
    assert len(rate._points) < 100
    assert rate.per_second == pytest.approx(100.0, rel=0.05)


# what a task says


def test_a_number_is_said_with_its_total_and_a_text() -> None:
    sent = Sent()
    sent.reporter.say(3)
    assert sent.said() == (3, None, "")
    sent.reporter.say(3, 10, "writing")
    assert sent.said() == (3, 10, "writing")
    sent.reporter.say(Decimal("2.5"), Fraction(5), text="x")
    assert sent.said() == (2.5, 5.0, "x")
    sent.reporter.say(True, 2)
    assert sent.said() == (1, 2, "")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((None,), TypeError),
        ((object(),), TypeError),
        ((1, "2"), TypeError),
        ((1, 2, 3), TypeError),
        (([], 2, 3), TypeError),
        (([], object()), TypeError),
        ((float("nan"),), ValueError),
        ((float("-inf"),), ValueError),
        ((2**60,), ValueError),
        ((1, float("inf")), ValueError),
    ],
)
def test_what_is_no_progress_is_refused_at_once(call: Any, error: type[Exception]) -> None:
    sent = Sent()
    with pytest.raises(error, match="progress"):
        sent.reporter.say(*call)
    assert sent.said() is None


def test_a_loop_says_at_each_item_how_many_were_done_before() -> None:
    sent = Sent()
    for at, row in enumerate(sent.reporter.say(["a", "b", "c"], "reading")):
        assert row == "abc"[at]
        assert sent.said() == (at, 3, "reading")
    assert sent.said() == (3, 3, "reading")


def test_a_loop_over_what_has_no_length_knows_its_total_at_the_end() -> None:
    sent = Sent()
    rows = iter_some(3)
    assert next(rows) == 0
    for _ in sent.reporter.say(rows):
        assert sent.said() in ((0, None, ""), (1, None, ""))
    assert sent.said() == (2, 2, "")


def iter_some(count: int) -> Iterator[int]:
    yield from range(count)


def test_a_total_that_is_given_counts() -> None:
    sent = Sent()
    for _ in sent.reporter.say(iter_some(2), 5, "x"):
        pass
    assert sent.said() == (2, 5, "x")
    for _ in sent.reporter.say([1], total=4):
        pass
    assert sent.said() == (1, 4, "")


def test_nothing_to_go_through_is_all_done() -> None:
    sent = Sent()
    assert list(sent.reporter.say([], "reading")) == []
    assert sent.said() == (0, 0, "reading")


def test_a_loop_that_was_left_stays_where_it_was() -> None:
    sent = Sent()
    for row in sent.reporter.say([1, 2, 3]):
        if row == 2:
            break
    assert sent.said() == (1, 3, "")
    with suppress(RuntimeError):
        for _ in sent.reporter.say([1, 2], "again"):
            raise RuntimeError
    assert sent.said() == (0, 2, "again")


def test_of_loops_in_one_another_the_one_shows_that_has_handed_out_an_item_last() -> None:
    sent = Sent()
    for _ in sent.reporter.say("ab", "outer"):
        assert sent.said() is not None
        assert sent.said()[2] == "outer"  # type: ignore[index]
        for _ in sent.reporter.say("xyz", "inner"):
            assert sent.said()[2] == "inner"  # type: ignore[index]
    assert sent.said() == (2, 2, "outer")


def test_a_loop_goes_through_asynchronous_items_too() -> None:
    sent = Sent()

    async def rows() -> AsyncIterator[str]:
        for row in "ab":
            await asyncio.sleep(0)
            yield row

    async def go() -> list[Any]:
        return [(row, sent.said()) async for row in sent.reporter.say(rows(), "reading")]

    assert asyncio.run(go()) == [("a", (0, None, "reading")), ("b", (1, None, "reading"))]
    assert sent.said() == (2, 2, "reading")


def test_a_text_is_cut_and_made_storable() -> None:
    sent = Sent()
    sent.reporter.say(1, text="\ud800" + "x" * 5000)
    progress = sent.reporter.current(0.0)
    assert progress is not None
    check_progress(progress)
    assert progress.text.startswith("\\ud800x")


# what is sent of it


def test_only_what_has_changed_is_sent_and_the_last_always() -> None:
    sent = Sent()
    reporter = sent.reporter
    assert reporter.news(1.0) is None
    reporter.say(1, 2)
    first = reporter.news(2.0)
    assert first is not None
    assert (first.receipt, first.progress[:2], first.progress.at) == (RECEIPT, (1, 2), 2.0)
    assert reporter.news(3.0) is None
    reporter.say(1, 2)
    assert reporter.news(3.0) is None
    reporter.say(1, 2, "x")
    assert reporter.news(3.0) is not None
    for n in range(1000):
        reporter.say(n, 1000)
    reporter.end()
    assert sent.sent()[-1] == (999, 1000, "")
    reporter.end()
    reporter.say(1000, 1000)
    assert sent.sent()[-1] == (999, 1000, ""), "nothing is sent after the end"


def test_a_run_that_says_nothing_starts_no_thread_and_sends_nothing() -> None:
    before = threading.active_count()
    sent = Sent()
    sent.reporter.end()

    assert (sent.reports, threading.active_count()) == ([], before)


def test_the_pulse_sends_while_a_run_says_nothing_more() -> None:
    arrived = threading.Event()
    sent: list[ProgressReport] = []

    def send(reports: Any) -> None:
        sent.extend(reports)
        arrived.set()

    reporter = Reporter(Pulse(send, lambda receipts: [], lambda: 7.0), RECEIPT)
    reporter.say(3, 10)
    assert arrived.wait(10)
    reporter.end()
    assert [each.progress[:2] for each in sent] == [(3, 10)]


def test_the_rate_of_a_loop_counts_from_its_beginning() -> None:
    sent = Sent()
    rows = sent.reporter.say(range(10))
    next(rows), next(rows)
    found = sent.reporter.current(0.0)
    assert found is not None
    assert found.rate is not None
    assert found.rate > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_helper_says_how_far_it_has_come_by_itself() -> None:
    read, write = os.pipe()
    pulse = Pulse(lambda reports: None, lambda receipts: [], lambda: 7.0)
    Reporter(pulse, Receipt("b", 2)).say(1)  # its thread runs, and is not inherited

    def send(reports: Any) -> None:
        os.write(write, b"!")

    reporter = Reporter(Pulse(send, lambda receipts: [], lambda: 7.0), RECEIPT)
    pid = os.fork()
    if pid == 0:
        try:
            reporter.say(1, 2)
            reporter.end()
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    assert os.read(read, 1) == b"!"
    os.close(read)


# whether it is to end


def test_a_run_that_asks_looks_once_and_then_goes_by_what_was_found() -> None:
    sent = Sent()
    assert not sent.reporter.is_to_end()
    assert not sent.reporter.is_to_end()
    assert sent.looks == 1

    sent.to_end.append(RECEIPT)
    sent.pulse.look([sent.reporter])
    assert sent.reporter.is_to_end()
    assert sent.looks == 2
    sent.reporter.end()


def test_a_direct_call_and_apply_tell_nobody_and_are_never_to_end(app: LiteQ) -> None:
    @app.task(bind=True, name="walk")
    def walk(self: Any, rows: list[int]) -> list[int]:
        done = [row for row in self.progress(rows, "walking") if not self.is_revoked()]
        self.progress(len(done), 7)
        return done

    assert walk([1, 2]) == [1, 2]
    assert walk.run([1, 2]) == [1, 2], "as tests call it"
    result = walk.apply(([1, 2],))
    assert result.get() == [1, 2]
    assert result.progress is not None
    assert result.progress[:2] == (2, 7)
    assert [status.state for status in result.watch()] == ["SUCCESS"]
    assert result.get(progress=True) == [1, 2]


# how it is drawn


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            Progress(3, 10, 0.5, "reading"),
            f"reading  30% |{'#' * 9}{' ' * 21}| 3/10, 0.5/s, 0:14 left",
        ),
        (Progress(0, 4), f"  0% |{' ' * 30}| 0/4"),
        (Progress(4, 4, 100.0), f"100% |{'#' * 30}| 4/4, 100/s"),
        (Progress(1.25, 4), f" 31% |{'#' * 9}{' ' * 21}| 1.2/4"),
        (Progress(12345, rate=1234.5, text="lines"), "lines 12345, 1.23e+03/s"),
        (Progress(1, 1000, 0.1), f"  0% |{' ' * 30}| 1/1000, 0.1/s, 2:46:30 left"),
        (Progress(1, 2, text="\x1b[31mred\n"), f"\\x1b[31mred\\n  50% |{'#' * 15}{' ' * 15}| 1/2"),
    ],
)
def test_a_line_shows_what_is_known(progress: Progress, line: str) -> None:
    assert line_of(progress) == line
