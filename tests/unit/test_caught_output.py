"""What tasks print and log is caught on its way, and still goes where it went before."""

import asyncio
import contextvars
import io
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import SoftTimeLimitExceeded
from liteq.result import LogLine
from liteq.testing import drain
from liteq.worker.output import CaughtStream, catch_output, release_output
from liteq.worker.stdout import LoggedStream

Lines = list[tuple[str | None, str]]


@pytest.fixture
def app() -> LiteQ:
    return LiteQ("output", broker="memory://", set_as_current=False)


def lines_of(app: LiteQ, function: Any, *args: Any, **options: Any) -> Lines:
    """Return level and text of what a task kept that runs `function`."""
    task = app.task(function, name="task")
    result = task.apply_async(args, **options)
    drain(app)
    assert result.state == "SUCCESS", result.traceback
    return [(line.level, line.text) for line in result.log()]


class Shown(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def shop() -> Iterator[Shown]:
    """The handler of a logger of the program's own, which passes nothing to the root logger."""
    logger, handler = logging.getLogger("shop"), Shown()
    logger.addHandler(handler)
    logger.setLevel("INFO")
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def test_what_a_task_prints_is_kept_and_printed(
    app: LiteQ, capsys: pytest.CaptureFixture[str]
) -> None:
    def task() -> None:
        print("out", 1)
        print("err", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b"])

    assert lines_of(app, task) == [(None, "out 1"), (None, "err"), (None, "a"), (None, "b")]
    assert capsys.readouterr() == ("out 1\na\nb", "err\n")


def test_what_a_task_logs_is_kept_with_its_level_and_logged(app: LiteQ, shop: Shown) -> None:
    def task() -> None:
        logger = logging.getLogger("shop")
        logger.info("for %s", "ann")
        logger.debug("not shown, so not kept")
        try:
            raise KeyError("what")  # noqa: TRY301
        except KeyError:
            logger.exception("failed")

    found = lines_of(app, task)

    assert found[:3] == [
        ("INFO", "for ann"),
        ("ERROR", "failed"),
        ("ERROR", "Traceback (most recent call last):"),
    ]
    assert found[-1] == ("ERROR", "KeyError: 'what'")
    assert len(shop.lines) == 2
    assert shop.lines[1].endswith("KeyError: 'what'")


def test_a_logger_without_handlers_writes_to_standard_error_as_before(
    app: LiteQ, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])

    def task() -> None:
        logging.getLogger("unheard of").warning("careful")

    assert lines_of(app, task) == [("WARNING", "careful")]
    assert capsys.readouterr().err == "careful\n"


def test_logging_that_is_set_up_by_the_task_itself_works(
    app: LiteQ, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])

    def task() -> None:
        logging.basicConfig(format="my own %(message)s", stream=sys.stdout)
        logging.getLogger("x").warning("careful")

    assert lines_of(app, task) == [("WARNING", "careful")]
    assert capsys.readouterr().out == "my own careful\n"


def test_a_record_with_wrong_arguments_is_complained_of_as_before(
    app: LiteQ, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])

    def task() -> None:
        logging.getLogger("unheard of").warning("%d", "no number")
        print("goes on")

    assert lines_of(app, task) == [(None, "goes on")]
    assert "Logging error" in capsys.readouterr().err


def test_a_record_that_strikes_a_time_limit_ends_the_task(app: LiteQ, shop: Shown) -> None:
    class Slow:
        def __str__(self) -> str:
            raise SoftTimeLimitExceeded(1.0)

    @app.task(name="task")
    def task() -> None:
        logging.getLogger("shop").info("%s", Slow())

    result = task.delay()
    drain(app)

    assert isinstance(result.result, SoftTimeLimitExceeded)


def test_outside_of_tasks_nothing_is_kept(app: LiteQ, shop: Shown) -> None:
    catch_output()
    try:
        print("nobody's")
        logging.getLogger("shop").info("nobody's")
    finally:
        release_output()

    assert lines_of(app, lambda: None) == []
    assert shop.lines == ["nobody's"]


def test_streams_and_loggers_are_given_back(app: LiteQ) -> None:
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers

    lines_of(app, lambda: None)

    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before


def test_streams_are_caught_until_the_last_worker_of_a_process_stops() -> None:
    before = sys.stdout
    catch_output()
    catch_output()
    assert isinstance(sys.stdout, CaughtStream)
    assert sys.stdout.below is before

    release_output()
    assert isinstance(sys.stdout, CaughtStream)
    release_output()
    assert sys.stdout is before


def test_what_others_put_in_place_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    others, called = io.StringIO(), []
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    catch_output()
    ours: Any = logging.Logger.callHandlers

    def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
        called.append(record.getMessage())
        ours(logger, record)

    sys.stdout = others
    logging.Logger.callHandlers = theirs  # type: ignore[method-assign]
    release_output()

    assert sys.stdout is others
    assert logging.Logger.callHandlers is theirs
    logging.getLogger("x").warning("heard")
    assert called == ["heard"]


def test_what_others_had_in_place_before_is_called(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, original = [], logging.Logger.callHandlers

    def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
        called.append(record.getMessage())
        original(logger, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", theirs)

    assert lines_of(app, lambda: logging.getLogger("x").warning("heard")) == [("WARNING", "heard")]
    assert called == ["heard"]


def test_a_program_without_standard_streams_can_be_a_worker(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch, shop: Shown
) -> None:
    # As a window is, which `pythonw` runs.
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    def task() -> None:
        print("lost")
        logging.getLogger("shop").info("kept")

    assert lines_of(app, task) == [("INFO", "kept")]


def test_a_stream_behaves_like_the_one_below() -> None:
    below = io.TextIOWrapper(io.BytesIO(), "latin-1", "replace")
    stream = CaughtStream(below, 1)

    assert (stream.encoding, stream.errors) == ("latin-1", "replace")
    assert stream.buffer is below.buffer
    assert not stream.isatty()
    stream.reconfigure(line_buffering=True)
    assert stream.line_buffering
    assert stream.write("x\n") == 2
    with pytest.raises(TypeError):
        stream.write(b"x")  # type: ignore[arg-type]
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
    del stream
    assert not below.closed


def test_lines_that_go_to_the_log_are_kept_once(app: LiteQ) -> None:
    logger, handler = logging.getLogger("liteq.redirected"), Shown()
    logger.addHandler(handler)
    streams = sys.stdout, sys.stderr
    sys.stdout = LoggedStream(sys.stdout, logging.WARNING)  # as in a worker
    try:
        found = lines_of(app, lambda: print("once"))
    finally:
        sys.stdout, sys.stderr = streams
        logger.removeHandler(handler)

    assert found == [(None, "once")]
    assert handler.lines == ["once"]


# which task


def test_a_task_that_is_called_as_a_function_prints_for_the_one_that_runs(app: LiteQ) -> None:
    @app.task(name="inner")
    def inner() -> None:
        print("inner")

    def task() -> None:
        inner()
        print("outer")

    assert lines_of(app, task) == [(None, "inner"), (None, "outer")]


def test_a_task_that_a_task_applies_at_once_prints_for_the_one_that_runs(app: LiteQ) -> None:
    @app.task(name="inner")
    def inner() -> None:
        print("inner")

    assert lines_of(app, lambda: inner.apply().get() and None) == [(None, "inner")]


def test_a_thread_prints_for_a_task_where_it_has_its_context(app: LiteQ) -> None:
    def task() -> None:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(print, "with its context"))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as executor:
            executor.submit(contextvars.copy_context().run, print, "in a pool").result()

    assert lines_of(app, task) == [(None, "with its context"), (None, "in a pool")]


def test_a_coroutine_prints_for_its_task_also_in_threads(app: LiteQ) -> None:
    async def part(n: int) -> None:
        await asyncio.sleep(0)
        print("part", n)

    async def task() -> None:
        await asyncio.gather(part(1), part(2))
        await asyncio.to_thread(print, "in a thread")

    assert lines_of(app, task) == [(None, "part 1"), (None, "part 2"), (None, "in a thread")]


def test_a_thread_that_prints_after_the_end_of_its_task_is_not_kept(app: LiteQ) -> None:
    go_on, done = threading.Event(), threading.Event()

    def print_later() -> None:
        go_on.wait(10)
        print("too late")
        done.set()

    def task() -> None:
        print("in time")
        threading.Thread(target=contextvars.copy_context().run, args=(print_later,)).start()

    result = app.task(task, name="task").delay()
    drain(app)
    go_on.set()
    assert done.wait(10)
    drain(app)

    assert [line.text for line in result.log()] == ["in time"]


def test_a_task_that_runs_where_it_is_called_prints_and_keeps_nothing(
    app: LiteQ, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.task
    def task() -> None:
        print("seen")

    assert task.apply().log() == []
    app.conf.task_always_eager = True
    assert task.delay().log() == []
    assert capsys.readouterr().out == "seen\nseen\n"


# what is kept


def test_a_task_a_call_and_the_settings_say_whether_output_is_kept(app: LiteQ) -> None:
    @app.task(keep_output=False)
    def silent() -> None:
        print("said")

    @app.task(keep_output=True)
    def loud() -> None:
        print("said")

    @app.task
    def usual() -> None:
        print("said")

    def kept(task: Any, **options: Any) -> bool:
        result = task.apply_async(**options)
        drain(app)
        return bool(result.log())

    assert [kept(task) for task in (silent, loud, usual)] == [False, True, True]
    assert [kept(task, keep_output=True) for task in (silent, loud, usual)] == [True] * 3
    assert [kept(task, keep_output=False) for task in (silent, loud, usual)] == [False] * 3
    app.conf.task_keep_output = False
    assert [kept(task) for task in (silent, loud, usual)] == [False, True, False]
    assert kept(usual, keep_output=True, headers={"keep_output": False})
    assert not kept(usual, headers={"keep_output": True})


def test_each_attempt_has_its_own_lines(app: LiteQ) -> None:
    @app.task(bind=True, default_retry_delay=0)
    def task(self: Any) -> None:
        print("attempt", self.request.retries + 1)
        if self.request.retries < 2:
            raise self.retry()

    result = task.delay()
    drain(app)

    assert [(line.attempt, line.number, line.text) for line in result.log()] == [
        (1, 1, "attempt 1"),
        (2, 1, "attempt 2"),
        (3, 1, "attempt 3"),
    ]
    assert [line.text for line in result.log(attempt=2)] == ["attempt 2"]
    assert result.log(attempt=4) == []
    line = result.log()[0]
    assert isinstance(line, LogLine)
    assert line.at.tzinfo is not None
    assert asyncio.run(result.alog(2)) == result.log(2)
