"""Times that commands show: for people in the zone of the application, in JSON in UTC."""

from pathlib import Path

import pytest

from tests.e2e.project import Project

SOURCE = """
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db", timezone="Asia/Kolkata")

@app.task
def add(x, y):
    return x + y
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, SOURCE)


def test_times_are_in_the_zone_of_the_application(project: Project) -> None:
    project.python("""
from datetime import UTC, datetime
from project import add, app
from liteq.testing import drain
app.send_task("unknown", task_id="dead")
drain(app)
add.apply_async((1, 2), eta=datetime(2040, 1, 31, 18, tzinfo=UTC), task_id="later")
""")

    def liteq(*argv: str) -> str:
        return project.liteq(*argv, "-A", "project")

    assert liteq("why", "later") == (
        "later: it waits for its time, 2040-01-31 23:30:00 Asia/Kolkata\n"
    )
    shown = liteq("jobs", "show", "later")
    assert "\neta: 2040-01-31 23:30:00\n" in shown
    assert "\ntimes in: Asia/Kolkata\n" in shown
    assert '"eta": "2040-01-31T18:00:00.000+00:00"' in liteq("jobs", "show", "later", "--json")
    assert "SENT (Asia/Kolkata)" in liteq("jobs")
    added = liteq(
        "schedule", "add", "new-year", "project.add", "--cron", "0 9 1 1 *", "-a", "[1, 2]"
    )
    assert "-01-01 09:00:00 Asia/Kolkata\n" in added
    listed = liteq("schedule", "list")
    assert "NEXT (Asia/Kolkata)" in listed
    assert "-01-01 09:00:00" in listed
    assert '-01-01T03:30:00.000+00:00"' in liteq("schedule", "list", "--json")
    assert "FINISHED (Asia/Kolkata)" in liteq("dead", "list")
    assert "times in Asia/Kolkata" in liteq("dead", "show", "dead")


def test_a_moment_without_an_offset_is_in_the_zone_of_the_application(project: Project) -> None:
    project.python("from project import add; add.delay(1, 2)")
    source = (
        "from datetime import *; from project import app\n"
        "now = datetime.now(app.timezone).replace(tzinfo=None)\n"
        "for minutes in (-5, 5): print((now + timedelta(minutes=minutes)).isoformat())"
    )
    before, after = project.python(source).split()

    assert "project.add" in project.liteq("jobs", "-A", "project", "--since", before)
    assert "no such jobs" in project.liteq("jobs", "-A", "project", "--since", after)
