"""Log records from a child: whatever it has sent, the loggers of the program survive it."""

import logging
from typing import Any

import pytest

from liteq.model.checks import UNREADABLE
from liteq.pools.records import handle_record, levels

GOOD = ("some.name", 30, "text", None, "x.py", 1, "f", 1.5, 7, "MainThread")


def test_a_record_is_handled_as_if_it_had_been_made_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle_record(GOOD, 3)

    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("some.name", "WARNING", "text")
    assert (record.processName, record.process, record.created) == ("slot-3", 7, 1.5)
    assert (record.pathname, record.lineno, record.funcName) == ("x.py", 1, "f")


@pytest.mark.parametrize("place", range(len(GOOD)))
def test_what_is_no_record_is_refused(place: int) -> None:
    wrong: Any
    for wrong in (b"x", [], {}):
        values: list[Any] = [*GOOD]
        values[place] = wrong
        with pytest.raises(UNREADABLE):
            handle_record(tuple(values), 0)


@pytest.mark.parametrize("values", [None, 5, (), GOOD[:-1], (*GOOD, 1)])
def test_what_has_another_shape_is_refused(values: Any) -> None:
    with pytest.raises(UNREADABLE):
        handle_record(values, 0)


def test_a_filter_that_raises_costs_only_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(logging.getLogger("some.name"), "filters", [refuse])

    handle_record(GOOD, 0)


def test_the_levels_are_those_of_loggers_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("with.level"), "level", 15)
    logging.getLogger("without.level")

    found = levels()

    assert found["with.level"] == 15
    assert "without.level" not in found
    assert found["root"] == logging.root.level
