"""Standard streams whose lines go to the log."""

import io
import logging
import threading
from collections.abc import Iterator

import pytest

from liteq import LiteQ
from liteq.model.message import Delivery, Receipt
from liteq.worker.logging import LineFormatter
from liteq.worker.runner import Runner
from liteq.worker.stdout import LoggedStream, logging_stdout

PLAIN, OF_TASK = "%(levelname)s %(message)s", "%(task_name)s[%(task_id)s] %(message)s"


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(PLAIN, OF_TASK))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Lines]:
    logger, handler = logging.getLogger("liteq"), Lines()
    before = [logger.level]
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before[0])


@pytest.fixture
def stream() -> LoggedStream:
    return LoggedStream(io.StringIO(), logging.WARNING)


def test_each_line_is_a_record_however_it_was_written(log: Lines, stream: LoggedStream) -> None:
    print("a", "b", file=stream)
    print("c\nd", end="", file=stream)

    assert log.lines == ["WARNING a b", "WARNING c"]


def test_a_flush_ends_a_line(log: Lines, stream: LoggedStream) -> None:
    print("half", end="", flush=True, file=stream)
    print(" and half", file=stream)

    assert log.lines == ["WARNING half", "WARNING  and half"]


def test_a_line_without_an_end_is_cut(log: Lines, stream: LoggedStream) -> None:
    for _ in range(100):
        stream.write("x" * 1000)

    assert 10 <= len(log.lines) <= 100
    assert max(map(len, log.lines)) < 10_000


def test_empty_lines_are_left_out(log: Lines, stream: LoggedStream) -> None:
    print("\n\n  \nx", file=stream)

    assert log.lines == ["WARNING x"]


def test_what_could_play_tricks_is_escaped(log: Lines, stream: LoggedStream) -> None:
    print("a\tb \x1b[31mred \u202eleft \ud800", file=stream)

    assert log.lines == [r"WARNING a" + "\t" + r"b \x1b[31mred \u202eleft \ud800"]


def test_of_a_line_that_is_written_over_the_end_is_left(log: Lines, stream: LoggedStream) -> None:
    print("10 %\r20 %\r30 %\r", file=stream)

    assert log.lines == ["WARNING 30 %"]


def test_threads_do_not_mix_their_lines(log: Lines, stream: LoggedStream) -> None:
    both = threading.Barrier(2)

    def write(letter: str) -> None:
        for _ in range(5):
            both.wait()
            stream.write(letter)
        stream.write("\n")

    threads = [threading.Thread(target=write, args=letter) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(log.lines) == ["WARNING aaaaa", "WARNING bbbbb"]


def test_a_handler_that_prints_does_not_call_itself(log: Lines) -> None:
    below = io.StringIO()
    stream = LoggedStream(below, logging.WARNING)

    class Complaining(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("no space left", file=stream)

    handler = Complaining()
    logging.getLogger("liteq.redirected").addHandler(handler)
    try:
        print("x", file=stream)
    finally:
        logging.getLogger("liteq.redirected").removeHandler(handler)

    assert below.getvalue() == "no space left\n"
    assert log.lines == ["WARNING x"]


def test_a_program_finds_the_whole_of_a_text_stream(log: Lines) -> None:
    below = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", line_buffering=True)
    stream = LoggedStream(below, logging.WARNING)

    stream.reconfigure(line_buffering=False)
    stream.buffer.write(b"bytes")
    stream.writelines(["one\n", "two\n"])

    assert isinstance(stream, io.TextIOBase)
    assert (stream.encoding, stream.errors) == ("utf-8", "backslashreplace")
    assert (stream.line_buffering, stream.write_through) == (False, False)
    assert (stream.writable(), stream.readable(), stream.isatty()) == (True, False, False)
    assert log.lines == ["WARNING one", "WARNING two"]
    with pytest.raises(AttributeError, match="no_such"):
        _ = stream.no_such


def test_nothing_is_printed_to_the_log_without_a_level(log: Lines) -> None:
    with logging_stdout(None):
        print("x")

    assert log.lines == []


def test_the_streams_are_themselves_again_afterwards(
    log: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_stdout("ERROR"):
        print("in the log")
    print("not in the log")

    assert log.lines == ["ERROR in the log"]
    assert capsys.readouterr().out == "not in the log\n"


def test_what_a_task_writes_says_which_one_by_whatever_logger(app: LiteQ, log: Lines) -> None:
    @app.task(name="speak")
    def speak() -> None:
        print("printed")
        logging.getLogger("liteq.task.mine").info("logged")
        print("unfinished", end="")

    runner = Runner(app, hostname="w", describe=False, report=lambda *_: None)
    with logging_stdout("INFO"):
        message = app.producer.message(speak, (), {}, {"task_id": "1"})
        runner.run(Delivery(message, Receipt("1", 1)))
        logging.getLogger("liteq.worker").info("between tasks")

    assert log.lines == [
        "speak[1] printed",
        "speak[1] logged",
        "INFO between tasks",
        "speak[1] unfinished",  # what has no end until then, still with the task that wrote it
    ]


def test_a_traceback_in_the_log_cannot_pass_for_lines_of_it() -> None:
    handler = Lines()
    with pytest.raises(ValueError, match="forged") as info:
        raise ValueError("x\n[CRITICAL] \x1b[31mforged")
    exc_info = info.type, info.value, info.tb
    record = logging.getLogger().makeRecord("x", 40, "x.py", 1, "failed", (), exc_info)
    handler.emit(record)
    first, *others = handler.lines[0].split("\n")

    assert first == "ERROR failed"
    assert all(line.startswith("    ") for line in others)
    assert r"    [CRITICAL] \x1b[31mforged" in others
