"""What users do on SQLite works on Redis by changing the URL."""

from pathlib import Path

import pytest

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
test_what_was_sent_before_the_worker_came_is_run = (
    on_sqlite.test_what_was_sent_before_the_worker_came_is_run
)
test_an_exception_comes_back_as_itself = on_sqlite.test_an_exception_comes_back_as_itself
test_progress_is_seen_while_the_task_runs = on_sqlite.test_progress_is_seen_while_the_task_runs
test_an_unknown_task_is_set_aside_and_the_waiting_caller_told = (
    on_sqlite.test_an_unknown_task_is_set_aside_and_the_waiting_caller_told
)
test_term_lets_what_runs_end_and_leaves_with_zero = (
    on_sqlite.test_term_lets_what_runs_end_and_leaves_with_zero
)
test_nothing_of_a_killed_worker_stays_and_a_sibling_takes_over = (
    on_sqlite.test_nothing_of_a_killed_worker_stays_and_a_sibling_takes_over
)
test_a_task_that_kills_its_process_is_set_aside_and_its_neighbours_are_not = (
    on_sqlite.test_a_task_that_kills_its_process_is_set_aside_and_its_neighbours_are_not
)
test_an_at_most_once_task_is_not_run_again = on_sqlite.test_an_at_most_once_task_is_not_run_again
test_a_long_task_does_not_keep_a_short_one_waiting = (
    on_sqlite.test_a_long_task_does_not_keep_a_short_one_waiting
)
