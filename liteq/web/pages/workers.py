"""The workers: where each runs, what it runs now, and how long it has been silent."""

from ...brokers.base import WorkerInfo
from ...brokers.serving import facts_of, names_in
from ...model.job import Job
from ..html import Part, el, join
from ..layout import Page
from ..tables import listing, section
from ..visit import Visit
from ..words import moment, number, seconds

_SILENT = 15.0  # seconds without a heartbeat after which it is said
_RUNNING = 200  # tasks that are listed
_HEADS = ("Worker", "Host", "Pid", "Pool", "Slots", "Queues", "Done", "Started", "Last heard of")


def show(visit: Visit) -> Page:
    """Return the page."""
    broker = visit.app.broker
    now, workers = broker.clock(), sorted(broker.workers(), key=lambda each: each.name)
    rows = [_row(visit, worker, now) for worker in workers]
    running = visit.app.jobs.list(state="running", limit=_RUNNING)
    jobs = [_job_row(visit, job, now) for job in running]
    body = join(
        listing(_HEADS, rows, "No worker is up. Start one with: liteq worker -A ..."),
        section(
            "What runs",
            listing(("Job", "Task", "Worker", "For", "Arguments"), jobs, "Nothing runs."),
        ),
    )
    return Page("Workers", body, "/workers")


def _row(visit: Visit, worker: WorkerInfo, now: float) -> list[Part]:
    facts = facts_of(worker)
    age = max(now - worker.beat, 0.0)
    heard = f"{seconds(age)} ago"
    return [
        visit.link(worker.name, "/jobs", worker=worker.name),
        worker.host,
        worker.pid,
        _text(facts.get("pool")),
        _text(facts.get("concurrency")),
        ", ".join(names_in(worker, "queues")),
        number(done) if isinstance(done := facts.get("done"), int) else None,
        moment(worker.started, visit.app.timezone),
        el("span", heard, class_="state failed") if age > _SILENT else heard,
    ]


def _job_row(visit: Visit, job: Job, now: float) -> list[Part]:
    since = None if job.started is None else max(now - job.started, 0.0)
    return [
        visit.link(job.id, "/job", id=job.id),
        job.task,
        job.worker,
        seconds(since),
        el("code", job.args),
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
