"""Every screen, as a visitor sees it, on all stores."""

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.model.message import Message
from liteq.testing import drain
from liteq.web.dashboard import Dashboard
from liteq.web.layout import SCREENS
from tests.web.conftest import HOSTILE, Elements, Visitor

VOID_OF_SCRIPT = {"script", "style", "iframe", "object", "embed", "base"}


def job_id(app: LiteQ, state: str) -> str:
    return app.jobs.list(state=state)[0].id


@pytest.mark.parametrize("path", SCREENS)
def test_every_screen_is_shown_and_named_in_the_navigation(visitor: Visitor, path: str) -> None:
    page = visitor.look(path)

    assert f"<h1>{SCREENS[path]}</h1>" in page
    current = [each for _, each in Elements(page).found if each.get("aria-current") == "page"]
    assert [each["href"] for each in current] == [path]


def test_an_empty_store_has_all_screens_as_well() -> None:
    app = LiteQ("empty", broker="memory://", set_as_current=False)
    visitor = Visitor(Dashboard(app))
    for path in SCREENS:
        visitor.look(path)
    assert "Nothing has ended in the last hour." in visitor.look("/")


def test_the_overview_tells_what_waits_and_what_nobody_will_run(visitor: Visitor) -> None:
    page = visitor.look("/")

    assert "No worker is up." in page
    assert "no worker serves the queue &#x27;newsletter&#x27;, in which 1 task waits" in page


def test_jobs_are_listed_by_state_and_found_by_what_they_have(visitor: Visitor) -> None:
    assert visitor.look("/jobs?state=succeeded").count("<tr>") == 2
    assert "No such jobs." in visitor.look("/jobs?state=expired")
    assert "&#x27;eve&#x27;" in visitor.look("/jobs?q=queue:newsletter")
    assert "&#x27;bob&#x27;" in visitor.look("/jobs?q=header:customer%3D17")
    assert visitor.look("/jobs?q=eve+task:mail").count("<tr>") == 2
    assert "No such jobs." in visitor.look("/jobs?q=eve+task:bad")


def test_a_page_of_jobs_leads_to_the_older_ones(visitor: Visitor, app: LiteQ) -> None:
    app.send_task("mail")
    for n in range(60):
        app.send_task("mail", (n,), queue="many")
    first = visitor.look("/jobs?queue=many")
    link = next(each["href"] for _, each in Elements(first).found if each.get("rel") == "next")
    second = visitor.look(str(link))

    assert first.count("<tr>") == 51
    assert second.count("<tr>") == 11


def test_a_job_is_told_in_full(visitor: Visitor, app: LiteQ) -> None:
    page = visitor.look(f"/job?id={job_id(app, 'failed')}")

    assert "it failed: ValueError" in page
    assert "Traceback (most recent call last)" in page
    assert "Attempts" in page


def test_a_workflow_is_drawn_with_what_waits_for_what(visitor: Visitor, app: LiteQ) -> None:
    page = visitor.look(f"/workflow?id={job_id(app, 'waiting')}")

    assert "0 of 3 tasks have ended." in page
    assert page.count('class="edge"') == 2
    assert page.count('class="node ready"') == 2


def test_nothing_that_was_sent_can_inject_anything(visitor: Visitor, app: LiteQ) -> None:
    hostile = Message(HOSTILE, HOSTILE, b"[[], {}]", "json", HOSTILE)
    app.broker.enqueue([hostile, hostile._replace(id="two\n\x1b[31m\u202e", payload=b"\xff")])
    worker = app.broker.register(HOSTILE, '{"queues": ["<i>"], "pool": "<b>"}')
    app.broker.claim(Claim(worker, (HOSTILE,), 1))
    app.schedules.add(HOSTILE, 60.0, "mail")
    pages = [*SCREENS, "/jobs?q=%3Cscript%3E", "/jobs?state=running", "/nowhere<script>"]
    pages += [f"/job?id={job_id(app, 'failed')}", f"/workflow?id={job_id(app, 'running')}"]
    pages.append("/jobs?queue=" + "%3Cscript%3E")
    for path in pages:
        response = visitor.ask(path)
        assert isinstance(response.body, bytes)
        page = response.body.decode()
        found = Elements(page).found
        scripts = [each for tag, each in found if tag in VOID_OF_SCRIPT]
        assert [each.get("src") for each in scripts] == ["/static/liteq.js?v=0.1.0"], path
        names = {name for _, each in found for name in each}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        assert not [each for tag, each in found if tag in ("i", "b", "img")]
        assert "\x1b" not in page
        assert "\u202e" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/job?id=unknown", 404),
        ("/job", 404),
        ("/workflow?id=unknown", 404),
        ("/jobs?state=bad", 400),
        ("/jobs?before=unknown", 400),
        ("/static/../values.py", 404),
        ("/static/nothing.js", 404),
        ("/act/retry", 404),
    ],
)
def test_what_is_not_there_is_said(visitor: Visitor, path: str, status: int) -> None:
    assert visitor.ask(path).status == status


# actions


def test_a_job_is_retried_cancelled_run_again_and_deleted(visitor: Visitor, app: LiteQ) -> None:
    failed, done = job_id(app, "failed"), job_id(app, "succeeded")
    visitor.look("/jobs")

    assert "1 job ready again" in visitor.post("retry", id=failed)
    assert "1 job cancelled" in visitor.post("cancel", id=failed)
    assert "sent again as " in visitor.post("run-again", id=done)
    asked = visitor.post("delete", id=[failed, done])
    assert "Are you sure?" in asked
    assert "Delete: 2 jobs?" in asked
    assert "2 jobs deleted" in visitor.post("delete", id=[failed, done], sure="1")
    assert app.jobs.get(done) is app.jobs.get(failed) is None


def test_what_was_done_is_said_once(visitor: Visitor, app: LiteQ) -> None:
    visitor.look("/jobs")
    page = visitor.post("retry", id=job_id(app, "failed"), back="/jobs?state=ready")

    assert "1 job ready again" in page
    assert 'aria-current="true">ready' in page
    assert "ready again" not in visitor.look("/jobs")


def test_all_jobs_that_fit_are_changed_only_after_a_question(visitor: Visitor, app: LiteQ) -> None:
    visitor.look("/jobs?queue=newsletter")
    asked = visitor.post("cancel", queue="newsletter", all="1")

    assert "Cancel: all jobs that fit?" in asked
    assert job_id(app, "ready")
    assert "1 job cancelled" in visitor.post("cancel", queue="newsletter", all="1", sure="1")
    assert not app.jobs.list(state="ready", queue="newsletter")


@pytest.mark.parametrize(
    "fields", [{}, {"all": "1", "sure": "1"}, {"all": "1", "sure": "1", "state": "no"}]
)
def test_an_action_without_a_choice_is_refused(visitor: Visitor, fields: dict[str, str]) -> None:
    visitor.look("/jobs")
    form = {name: [value] for name, value in fields.items()}
    form["form"] = [visitor.cookies["liteq-form"]]

    assert visitor.ask("/act/cancel", "POST", form).status == 400


def test_schedules_are_run_paused_and_resumed(visitor: Visitor, app: LiteQ) -> None:
    assert "every hour" in visitor.look("/schedules")

    assert "nightly was sent as " in visitor.post("run-schedule", name="nightly", back="/schedules")
    assert app.jobs.list(state="ready")[0].args == "'all'"
    assert "nightly paused" in visitor.post("pause-schedule", name="nightly", back="/schedules")
    assert app.schedules["nightly"].paused
    assert "nightly resumed" in visitor.post("resume-schedule", name="nightly", back="/schedules")


def test_a_schedule_that_is_gone_is_said(visitor: Visitor) -> None:
    visitor.look("/schedules")
    form = {"form": [visitor.cookies["liteq-form"]], "name": ["gone"]}

    assert visitor.ask("/act/run-schedule", "POST", form).status == 404
    assert "there is no such schedule" in visitor.post("pause-schedule", name="gone")


def test_dead_jobs_are_grouped_by_task_and_error(visitor: Visitor, app: LiteQ) -> None:
    for n in range(3):
        app.broker.enqueue([Message(f"gone{n}", "gone", b"[[], {}]", "json", "celery")])
    drain(app)
    page = visitor.look("/dead")
    assert page.count("Retry all") == 1
    error = app.jobs.list(state="dead")[0].error or ""
    assert "3 jobs ready again" in visitor.post("retry-dead", task="gone", error=error)
