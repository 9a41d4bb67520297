"""The birthdays example: for a year by a clock that is moved, and once in real time."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from liteq.brokers.memory import MemoryBroker
from liteq.testing import ManualClock, travel

from .project import ROOT, Project, wait_for

FOLDER = ROOT / "examples/birthdays"
PEOPLE = [
    ("Ada", "ada@x", "1990-12-10"),
    ("Leap", "leap@x", "1992-02-29"),
    ("Before", "before@x", "1990-02-28"),
    ("Blaise", "blaise@x", "1988-06-19"),
    ("Eve", "eve@x", "1999-12-31"),
    ("New", "new@x", "2001-01-01"),
]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The program with six customers, at the start of a year; messages go to `sent`."""
    monkeypatch.setenv("CUSTOMERS", str(tmp_path / "customers.db"))
    monkeypatch.delenv("MORNING", raising=False)
    birthdays = load("birthdays")
    load("customers").make_customers(birthdays.CUSTOMERS, PEOPLE)
    sent: list[tuple[str, str]] = []
    clock = ManualClock()
    # Its store is chosen by the environment, but this one needs a clock of ours.
    birthdays.app._broker = MemoryBroker(clock)

    def send(message: Any) -> None:
        sent.append((birthdays.app.now().strftime("%Y-%m-%d %H:%M"), message["To"]))

    monkeypatch.setattr(birthdays, "send", send)
    yield SimpleNamespace(module=birthdays, app=birthdays.app, clock=clock, sent=sent)
    birthdays.app.close()
    for name in ("birthdays", "customers"):
        del sys.modules[name]


def year(example: Any, number: int) -> list[tuple[str, str]]:
    """Return the mails of that year, in Paris."""
    example.clock.now = 86400.0 * days_until(number) - 3600
    example.sent.clear()
    fired = travel(example.app, 86400.0 * (days_until(number + 1) - days_until(number)))
    assert len(fired) == days_until(number + 1) - days_until(number)
    return list(example.sent)


def days_until(year: int) -> int:
    """Return the days from the epoch to the first day of that year."""
    return (date(year, 1, 1) - date(1970, 1, 1)).days


def test_a_year_of_birthdays(example: Any) -> None:
    assert year(example, 2030) == [
        ("2030-01-01 08:00", "new@x"),
        ("2030-02-28 08:00", "leap@x"),
        ("2030-02-28 08:00", "before@x"),
        ("2030-06-19 08:00", "blaise@x"),
        ("2030-12-10 08:00", "ada@x"),
        ("2030-12-31 08:00", "eve@x"),
    ]


def test_a_leap_year_of_birthdays(example: Any) -> None:
    assert [each for each in year(example, 2032) if "-02-" in each[0]] == [
        ("2032-02-28 08:00", "before@x"),
        ("2032-02-29 08:00", "leap@x"),
    ]


def test_a_mail_server_that_is_down_is_tried_again(
    example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    send = example.module.send

    def down(message: Any) -> None:
        if len(refused) < 3:
            refused.append(message["Message-ID"])
            raise ConnectionRefusedError
        send(message)

    monkeypatch.setattr(example.module, "send", down)
    sent = year(example, 2031)

    assert len(sent) == 6
    assert (len(refused), len(set(refused))) == (3, 1)
    assert sent[0][1] == "new@x"


def test_after_days_off_only_the_last_morning_is_run(example: Any) -> None:
    example.clock.now = 86400.0 * days_until(2030) - 3600
    travel(example.app, 60)
    example.clock.advance(3 * 86400)  # no worker was running: one run, for the third
    assert len(travel(example.app, 60)) == 1
    assert example.sent == []


def test_the_example_with_a_schedule_of_one_second(tmp_path: Path) -> None:
    project = Project(tmp_path, source="")
    for name in ("birthdays.py", "customers.py"):
        project.write(name, (FOLDER / name).read_text(encoding="utf-8"))
    # A line of cron has no seconds, so the schedule is made an interval.
    text = project.folder.joinpath("birthdays.py").read_text(encoding="utf-8")
    assert "schedule=MORNING" in text
    project.write("birthdays.py", text.replace("schedule=MORNING", "schedule=1.0"))
    project.env.pop("LITEQ_BROKER_URL", None)
    project.run("customers.py")
    outbox = tmp_path / "outbox.txt"

    def runs() -> int:
        listed = json.loads(project.liteq("schedule", "list", "-A", "birthdays", "--json"))
        return int(listed["schedules"][0]["runs"])

    with project.program("-m", "liteq", "worker", "-A", "birthdays", "-l", "info") as worker:
        worker.wait_for_line("ready")
        wait_for(outbox.exists, "mail")
        wait_for(lambda: runs() >= 3, "three runs")

    assert outbox.read_text().splitlines() == ["you@example.org: Happy birthday, You!"]
