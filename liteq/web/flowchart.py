"""A workflow as a picture: tasks in layers, from those that wait for nothing on."""

from collections import defaultdict
from collections.abc import Sequence

from ..model.message import Record
from ..result.workflow import Workflow
from .html import Html, el
from .visit import Visit

_WIDTH, _HEIGHT = 150, 40  # of a task
_ACROSS, _DOWN = 190, 60  # from task to task
_MOST = 12  # tasks in a layer that are drawn; the rest is a number
_NAME = 20  # characters


def flowchart(visit: Visit, workflow: Workflow) -> Html:
    """Return the picture."""
    layers = _layers(workflow)
    places: dict[str, tuple[int, int]] = {}
    nodes: list[Html] = []
    for x, layer in enumerate(layers):
        for y, record in enumerate(layer[:_MOST]):
            places[record.message.id] = (x * _ACROSS + 5, y * _DOWN + 5)
            nodes.append(_node(visit, record, *places[record.message.id]))
        if len(layer) > _MOST:
            more = f"and {len(layer) - _MOST} more"
            nodes.append(el("text", more, x=x * _ACROSS + 15, y=_MOST * _DOWN + 20))
    edges = [
        _edge(places[before], places[record.message.id])
        for record in workflow.records
        if record.message.id in places
        for before in workflow.before(record)
        if before in places
    ]
    rows = max(min(len(layer), _MOST) + (len(layer) > _MOST) for layer in layers)
    width, height = len(layers) * _ACROSS - 30, rows * _DOWN
    picture = el(
        "svg",
        edges,
        nodes,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="group",
        aria_label=f"The workflow: {len(workflow.records)} tasks in {len(layers)} layers",
        class_="flow",
    )
    return el("div", picture, class_="wide", tabindex=0, role="region", aria_label="Picture")


def _layers(workflow: Workflow) -> list[list[Record]]:
    """Return the records, each in the layer after the last one that it waits for."""
    before = {record.message.id: workflow.before(record) for record in workflow.records}
    depth: dict[str, int] = {}
    for _ in range(len(before) + 1):  # what is stored may run in a circle
        for id, ids in before.items():
            depth[id] = min(max((depth.get(each, 0) + 1 for each in ids), default=0), len(before))
        if all(depth[id] > depth.get(each, 0) for id, ids in before.items() for each in ids):
            break
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for record in workflow.records:
        found[depth[record.message.id]].append(record)
    return [found[layer] for layer in sorted(found)]


def _node(visit: Visit, record: Record, x: int, y: int) -> Html:
    name, phase = record.message.task, record.phase.name.lower()
    short = name if len(name) <= _NAME else f"…{name[-_NAME:]}"
    return el(
        "a",
        el("title", f"{name}: {phase}"),
        el("rect", x=x, y=y, width=_WIDTH, height=_HEIGHT, rx=8, class_=f"node {phase}"),
        el("text", short, x=x + 8, y=y + 17),
        el("text", phase, x=x + 8, y=y + 32, class_="small"),
        href=visit.url("/job", {"id": record.message.id}),
    )


def _edge(start: Sequence[int], end: Sequence[int]) -> Html:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    return el("path", d=f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}", class_="edge")
