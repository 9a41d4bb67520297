"""A JSON document as an outline for people: what `--json` shows, in lines."""

from collections.abc import Iterator
from typing import Any

from .views import View


def outline(document: View) -> Iterator[str]:
    """A heading for each thing in `document`, below it what is known of the thing."""
    for key, value in document.items():
        if value == []:
            yield f"{key}: none"
        for thing in value if isinstance(value, list) else [value]:
            if isinstance(thing, dict):
                yield f"-> {_title(thing) if 'name' in thing else key}"
                yield from _facts(thing)
            elif thing is not None:
                yield f"{key}: {thing}"


def _facts(thing: View) -> Iterator[str]:
    for key, value in thing.items():
        if key == "tasks":
            yield from (f"   * {_item(each)}" for each in value)
            if not value:
                yield "   - none -"
        elif isinstance(value, list):
            yield f"   {key}: {', '.join(map(str, value))}"
        elif value is not None and key not in ("name", "id"):
            yield f"   {key}: {value}"


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    facts = (f"{k}={v}" for k, v in value.items() if v is not None and k not in ("name", "id"))
    return " ".join([_title(value), *facts])


def _title(thing: View) -> str:
    name = thing["name"] or "unknown"
    return f"{name}[{thing['id']}]" if "id" in thing else str(name)
