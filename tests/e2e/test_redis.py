"""Redis in place of SQLite: the same tests of real workers, with another URL."""

import json
from pathlib import Path

import pytest

from tests.e2e import test_revoking as revoking
from tests.e2e import test_schedules as schedules
from tests.e2e import test_worker as on_sqlite
from tests.e2e.project import TASKS, Project
from tests.servers import needs_redis

pytestmark = needs_redis

FILE = "sqlite:///project.db"


@pytest.fixture
def project(tmp_path: Path, redis_store: str) -> Project:
    return Project(tmp_path, TASKS.replace(FILE, redis_store))


# The same tests once more: pytest gives them the `project` of this module.
test_a_task_is_sent_run_and_its_result_read = on_sqlite.test_a_task_is_sent_run_and_its_result_read
test_a_task_that_was_sent_before_the_worker_started_is_run = (
    on_sqlite.test_a_task_that_was_sent_before_the_worker_started_is_run
)
test_an_exception_comes_back_as_itself = on_sqlite.test_an_exception_comes_back_as_itself
test_progress_is_seen_while_the_task_runs = on_sqlite.test_progress_is_seen_while_the_task_runs
test_term_finishes_running_tasks_and_exits_with_zero = (
    on_sqlite.test_term_finishes_running_tasks_and_exits_with_zero
)
test_no_process_of_a_killed_worker_stays_and_another_worker_takes_over = (
    on_sqlite.test_no_process_of_a_killed_worker_stays_and_another_worker_takes_over
)
test_a_task_that_kills_its_process_is_set_aside_and_its_neighbours_are_not = (
    on_sqlite.test_a_task_that_kills_its_process_is_set_aside_and_its_neighbours_are_not
)
test_an_at_most_once_task_is_not_run_again = on_sqlite.test_an_at_most_once_task_is_not_run_again
test_a_long_task_does_not_keep_a_short_one_waiting = (
    on_sqlite.test_a_long_task_does_not_keep_a_short_one_waiting
)


class TestRevoking:
    """Tasks are revoked while real workers run them, and dead ones are tried again."""

    @pytest.fixture
    def project(self, tmp_path: Path, redis_store: str) -> Project:
        return Project(tmp_path, revoking.SOURCE.replace(f"{FILE}?durability=fast", redis_store))

    test_running = staticmethod(revoking.test_a_running_task_is_ended_with_all_it_started)
    test_beside = staticmethod(revoking.test_other_running_tasks_go_on)
    test_no_worker = staticmethod(revoking.test_a_task_is_revoked_though_no_worker_is_up)
    test_backlog = staticmethod(revoking.test_a_revoked_task_in_a_child_s_backlog_is_not_run)
    test_used_up = staticmethod(
        revoking.test_a_task_whose_retries_are_used_up_is_set_aside_with_its_history
    )
    test_uncharged = staticmethod(revoking.test_neighbours_of_a_killed_supervisor_are_not_charged)


def test_the_doctor_and_the_tools_look_into_redis(project: Project) -> None:
    project.python("from project import add; add.apply_async((1, 2), task_id='a', countdown=900)")

    assert "if the server is killed" in project.liteq("doctor", "-A", "project", code=1)
    assert "project.add" in project.liteq("inspect", "scheduled", "-A", "project")
    assert json.loads(project.liteq("revoke", "a", "-A", "project", "--json"))["revoked"] == ["a"]
    assert "REVOKED" in project.liteq("result", "a", "-A", "project", code=None)


def test_workers_of_several_hosts_are_seen_and_share_the_work(project: Project) -> None:
    """The hosts are names only: nothing else distinguishes a worker of another machine here."""
    with project.worker("-n", "one@host-1"), project.worker("-n", "two@host-2"):
        source = "from project import nap; print(nap.delay(0.2).get(30))"
        assert "0.2" in project.python(source)
        status = project.liteq("status", "-A", "project")
    assert "one@host-1" in status
    assert "two@host-2" in status


class TestSchedules:
    """Periodic tasks, fired by workers and by `liteq beat`."""

    @pytest.fixture
    def project(self, tmp_path: Path, redis_store: str) -> Project:
        return Project(tmp_path, schedules.PERIODIC.replace(FILE, redis_store))

    test_code = staticmethod(schedules.test_a_worker_fires_what_the_code_declares)
    test_beat = staticmethod(schedules.test_without_beat_a_worker_fires_nothing_and_liteq_beat_does)
    test_shell = staticmethod(
        schedules.test_schedules_are_changed_in_a_shell_and_workers_see_it_at_once
    )
