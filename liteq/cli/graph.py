"""`liteq graph`: show the workflow that a task belongs to."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence

from ..app import LiteQ
from ..exceptions import InvalidTaskError, SecurityError
from ..model.message import Record
from ..result.workflow import Workflow, workflow_of
from .apps import app_that_exists
from .exits import FAILED, OK
from .options import add_json, add_limit
from .output import complain, escape, show
from .views import View, step_view, task_view

Steps = Mapping[str, Sequence[View]]
"""The views of the durable steps of tasks, by id."""

_COLOURS = {"SUCCESS": "palegreen", "FAILURE": "salmon", "REVOKED": "lightgrey"}


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("id", metavar="ID", help="any task of the workflow")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--dot", action="store_true", help="in the language of Graphviz")
    form.add_argument("--mermaid", action="store_true", help="as a Mermaid flowchart")
    add_json(parser)
    add_limit(parser, 1000, "tasks to show")


def run(args: Namespace) -> int:
    """Print the workflow; return FAILED when there is no such task."""
    app = app_that_exists(args)
    workflow = workflow_of(app.broker, args.id, args.limit)
    if not workflow.records:
        complain(f"{app.broker.url} has no task {args.id}")
        return FAILED
    steps = {each.message.id: _steps(app, each.message.id) for each in workflow.records}
    views = [
        {
            **task_view(each),
            "group": each.group,
            "after": workflow.before(each),
            "event": each.event,
            "steps": steps[each.message.id],
        }
        for each in workflow.records
    ]
    document = {"store": app.broker.url, "tasks": views, "more": workflow.more}
    form = _dot if args.dot else _mermaid if args.mermaid else _tree
    show(document, form(workflow, steps), as_json=args.json)
    return OK


def _steps(app: LiteQ, id: str) -> list[View]:
    """Return the views of the durable steps of a task; none where they cannot be read."""
    try:
        return [step_view(step, app.broker.clock()) for step in app.broker.steps(id)]
    except (InvalidTaskError, SecurityError) as exc:
        complain(f"warning: {exc}")
        return []


def _tree(workflow: Workflow, steps: Steps) -> Iterator[str]:
    """Yield each task below one that it runs after: the one that woke it, or the last; and below
    each task its steps."""
    below: dict[str | None, list[Record]] = {}
    for record in workflow.records:
        before = workflow.before(record)
        woken = record.woken_by if record.woken_by in before else None
        below.setdefault(woken or (before[-1] if before else None), []).append(record)
    stack = [("", record) for record in reversed(below.get(None, []))]
    while stack:
        indent, record = stack.pop()
        yield f"{indent}{_line(workflow, record)}"
        yield from (f"{indent}  - {_step_line(step)}" for step in steps[record.message.id])
        # A chain is not indented, since it may be a thousand steps long.
        after = below.get(record.message.id, [])
        deeper = indent if len(after) == 1 else indent + "  "
        stack += [(deeper, each) for each in reversed(after)]


def _line(workflow: Workflow, record: Record) -> str:
    view = task_view(record)
    words = [f"{view['name']}[{view['id']}]", view["state"]]
    if record.started is not None and record.finished is not None:
        words.append(f"{record.finished - record.started:.3f} s")
    if record.on_failure:
        words.append("(if it fails)")
    if record.barrier and record.waits is not None:
        words.append(f"(after group {record.waits}: {_progress(workflow, record)})")
    return " ".join(words)


def _step_line(step: View) -> str:
    words = f"{step['kind']} {step['name']}: {step['state']}"
    return (
        f"{words}, until {step['until']}" if step["state"] == "pending" and step["until"] else words
    )


def _progress(workflow: Workflow, record: Record) -> str:
    before = set(workflow.before(record))
    ended = [each.phase.final for each in workflow.records if each.message.id in before]
    return f"{sum(ended)} of {len(ended)} ended"


def _dot(workflow: Workflow, steps: Steps) -> Iterator[str]:
    yield "digraph workflow {"
    for record, view, label in _labelled(workflow, steps, "\\n"):
        colour = _COLOURS.get(view["state"], "white")
        yield f'  "{_plain(view["id"])}" [label="{label}", style=filled, fillcolor={colour}];'
        for id in workflow.before(record):
            yield f'  "{_plain(id)}" -> "{_plain(view["id"])}";'
    yield "}"


def _mermaid(workflow: Workflow, steps: Steps) -> Iterator[str]:
    names = {record.message.id: f"t{n}" for n, record in enumerate(workflow.records)}
    yield "flowchart TD"
    for record, view, label in _labelled(workflow, steps, "<br/>"):
        name = names[view["id"]]
        yield f'  {name}["{label}"]'
        for id in workflow.before(record):
            yield f"  {names[id]} {'-.->' if record.on_failure else '-->'} {name}"


def _labelled(workflow: Workflow, steps: Steps, line: str) -> Iterator[tuple[Record, View, str]]:
    for record in workflow.records:
        view = task_view(record)
        parts = [_plain(view["name"]), _plain(view["id"]), _plain(view["state"])]
        parts += (_plain(_step_line(step)) for step in steps[record.message.id])
        yield record, view, line.join(parts)


def _plain(text: str) -> str:
    """Return `text` without the characters that end a quoted string in either language."""
    return escape(text).replace("\\", "/").replace('"', "'").replace("<", "(").replace(">", ")")
