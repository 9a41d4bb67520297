"""Retries, and what else a task can say is to become of it, by real workers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.project import Project

SOURCE = r"""
from datetime import UTC, datetime, timedelta
from liteq import LiteQ
from liteq.exceptions import Ignore, Reject

app = LiteQ("project", broker="sqlite:///project.db?durability=fast")
app.conf.task_queues = ("celery", "slow", "nobody")
seen = []


class Again(Exception):
    pass


def look(request):
    info = request.delivery_info
    return {
        "id": request.id, "retries": request.retries, "queue": info["routing_key"],
        "priority": info["priority"], "headers": request.headers, "expires": request.expires,
        "args": list(request.args), "kwargs": request.kwargs, "limits": request.timelimit,
        "redelivered": info["redelivered"], "ignored": request.ignore_result,
    }


@app.task(bind=True)
def again(self, *args, options=None, times=1, **kwargs):
    if self.request.retries < times:
        now = {"countdown": 0, **(eval(options) if options else {})}
        raise self.retry(exc=Again("not yet"), **now)
    return look(self.request)


@app.task(bind=True)
def quietly(self):
    if self.request.retries == 0:
        self.retry(throw=False, countdown=0)
        return "nobody sees this"
    return self.request.retries


@app.task(bind=True, max_retries=2, default_retry_delay=0)
def never(self, options=None):
    raise self.retry(exc=Again("never"), **(eval(options) if options else {}))


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def silent(self):
    raise self.retry()


@app.task(bind=True, autoretry_for=(Again,), max_retries=2, retry_backoff=0.001, retry_jitter=False,
          retry_backoff_max=0.001)
def automatic(self, times):
    if self.request.retries < times:
        raise Again(str(self.request.retries))
    return self.request.retries


@app.task(bind=True, autoretry_for=(Exception,), dont_autoretry_for=(KeyError,))
def picky(self):
    raise KeyError("no")


@app.task(bind=True)
def reject(self):
    if not self.request.delivery_info["redelivered"]:
        raise Reject("again", requeue=True)
    return look(self.request)


@app.task(bind=True, acks_late=False)
def reject_early(self):
    raise Reject("again", requeue=True)


@app.task(bind=True)
def ignore(self, state=None):
    if state:
        self.update_state(state=state, meta={"why": "as it likes"})
    raise Ignore


@app.task(bind=True)
def ignore_after_retry(self):
    if self.request.retries:
        raise Ignore
    self.update_state(state="BEFORE", meta=1)
    raise self.retry(countdown=0)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("retries"), SOURCE)
    with project.worker("-Q", "celery,slow"):
        yield project


ASK = """
import json
from project import *
result = {call}
try:
    got = result.get(timeout=20)
except BaseException as exc:
    got = [type(exc).__name__, str(exc)]
print(json.dumps([got, result.state, [each.outcome for each in result.attempts()]]))
"""


def ask(project: Project, call: str) -> tuple[Any, str, list[str]]:
    got, state, attempts = json.loads(project.python(ASK.format(call=call)))
    return got, state, attempts


def second(project: Project, options: str, call: str = "again.apply_async((1,), {0})") -> Any:
    """What the second attempt saw, after a `retry` with these options."""
    kwargs = f"{{'options': {options!r}, 'x': 2}}"
    got, state, attempts = ask(project, call.format(kwargs))

    assert (state, attempts) == ("SUCCESS", ["retry", "succeeded"]), got
    return got


def test_the_next_attempt_is_the_same_task(project: Project) -> None:
    call = (
        "again.apply_async((1,), {0}, task_id='mine', queue='slow', priority=7,"
        " headers={{'h': 1}}, expires=3600, time_limit=50, soft_time_limit=40)"
    )
    got = second(project, "{}", call)

    assert (got["id"], got["retries"]) == ("mine", 1)
    assert (got["queue"], got["priority"], got["headers"]) == ("slow", 7, {"h": 1})
    assert got["expires"] is not None
    assert got["limits"] == [50, 40]
    assert (got["args"], got["kwargs"]["x"]) == ([1], 2)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ("{'queue': 'slow'}", "queue", "slow"),
        ("{'priority': 3}", "priority", 3),
        ("{'headers': {'n': 2}}", "headers", {"n": 2}),
        ("{'time_limit': 9, 'soft_time_limit': 8}", "limits", [9, 8]),
        ("{'serializer': 'json'}", "retries", 1),
        ("{'args': (5,)}", "args", [5]),
        ("{'countdown': None, 'eta': datetime.now(UTC) - timedelta(days=1)}", "retries", 1),
        ("{'countdown': 0.01}", "retries", 1),
    ],
    ids=lambda each: each if isinstance(each, str) and "{" in each else "",
)
def test_an_option_of_retry_changes_that_only(
    project: Project, options: str, name: str, value: object
) -> None:
    got = second(project, options)

    assert got[name] == value
    assert (got["priority"] == 0) is (name != "priority")
    assert (got["queue"] == "celery") is (name != "queue")


def test_the_keywords_can_be_changed_and_the_positions_stay(project: Project) -> None:
    got = second(project, "{'kwargs': {'x': 3}}")

    assert (got["args"], got["kwargs"]) == ([1], {"x": 3})


def test_a_retry_may_take_away_the_expiry(project: Project) -> None:
    call = "again.apply_async((1,), {0}, expires=3600)"

    assert second(project, "{'expires': None}", call)["expires"] is None
    assert second(project, "{'expires': 60}", call)["expires"] is not None


def test_a_result_that_is_ignored_stays_ignored(project: Project) -> None:
    project.python(
        "from project import *\n"
        "again.apply_async(ignore_result=True, task_id='ignored')\n"
        "result = app.AsyncResult('ignored')\n"
        "assert result.get(timeout=20) is None and result.retries == 1"
    )


def test_while_it_waits_the_state_is_retry_with_the_reason(project: Project) -> None:
    out = project.python(
        "import time\nfrom project import *\n"
        "result = again.apply_async(kwargs={'options': \"{'queue': 'nobody'}\"})\n"
        "end = time.monotonic() + 20\n"
        "begun = ('PENDING', 'STARTED')\n"
        "while result.state in begun and time.monotonic() < end: time.sleep(0.01)\n"
        "print(result.state, repr(result.result), result.queue, len(result.attempts()))"
    )

    assert out == "RETRY Again('not yet') nobody 1\n"


def test_without_throw_the_task_goes_on_and_is_run_again(project: Project) -> None:
    assert ask(project, "quietly.delay()") == (1, "SUCCESS", ["retry", "succeeded"])


@pytest.mark.parametrize(
    ("call", "attempts"),
    [
        ("never.delay()", 3),
        ("never.delay('{\"max_retries\": 4}')", 5),
        ("never.delay('{\"max_retries\": 0}')", 1),
    ],
)
def test_when_retries_are_used_up_the_reason_is_raised_and_the_task_is_set_aside(
    project: Project, call: str, attempts: int
) -> None:
    got, state, outcomes = ask(project, call)

    assert (got, state) == (["Again", "never"], "FAILURE")
    assert outcomes == ["retry"] * (attempts - 1) + ["dead"]


def test_without_a_reason_the_error_says_that_there_are_none_left(project: Project) -> None:
    got, _, outcomes = ask(project, "silent.delay()")

    assert got[0] == "MaxRetriesExceededError"
    assert "Can't retry project.silent" in got[1]
    assert outcomes == ["retry", "dead"]


def test_what_used_up_its_retries_can_be_tried_again_from_the_dead_letters(
    project: Project,
) -> None:
    ask(project, "never.apply_async(task_id='dead')")
    listed = project.liteq("dead", "list", "--json", "-A", "project")
    project.liteq("dead", "retry", "dead", "-A", "project")
    got, _, outcomes = ask(project, "app.AsyncResult('dead')")

    assert "dead" in [each["id"] for each in json.loads(listed)["tasks"]]
    assert got == ["Again", "never"]
    assert outcomes.count("dead") >= 1
    assert outcomes.count("retry") == 4


def test_errors_in_autoretry_for_are_tried_again_and_others_are_not(project: Project) -> None:
    assert ask(project, "automatic.delay(2)") == (2, "SUCCESS", ["retry"] * 2 + ["succeeded"])
    assert ask(project, "picky.delay()") == (["KeyError", "'no'"], "FAILURE", ["failed"])


def test_what_is_rejected_to_be_requeued_comes_again_and_knows_it(project: Project) -> None:
    got, state, attempts = ask(project, "reject.delay()")

    assert state == "SUCCESS"
    assert (got["redelivered"], got["retries"]) == (True, 0)
    assert attempts == ["requeued", "succeeded"]


def test_a_retry_is_no_redelivery(project: Project) -> None:
    assert second(project, "{}")["redelivered"] is False


def test_a_task_that_is_acknowledged_early_cannot_be_requeued(project: Project) -> None:
    got, state, _ = ask(project, "reject_early.delay()")

    assert (got[0], state) == ("Reject", "FAILURE")


@pytest.mark.parametrize(
    ("state", "got"),
    [
        ("HALFWAY", {"why": "as it likes"}),
        ("FAILURE", ["TaskError", "{'why': 'as it likes'}"]),
    ],
)
def test_the_state_that_a_task_set_before_it_wants_to_be_ignored_stays(
    project: Project, state: str, got: Any
) -> None:
    assert ask(project, f"ignore.delay({state!r})")[:2] == (got, state)


def test_a_task_that_wants_to_be_ignored_has_no_value(project: Project) -> None:
    assert ask(project, "ignore.delay()")[:2] == (None, "SUCCESS")
    assert ask(project, "ignore_after_retry.delay()")[:2] == (None, "SUCCESS")
