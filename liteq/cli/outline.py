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
            elif thing is not None and key != "more":
                yield f"{key}: {thing}"


def _facts(thing: View) -> Iterator[str]:
    for key, value in thing.items():
        if key == "tasks":
            yield from (f"   * {_item(each)}" for each in value)
            if not value:
                yield "   - none -"
        elif _tells(key, value):
            told = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"   {key}: {told}"


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    facts = (f"{key}={fact}" for key, fact in value.items() if _tells(key, fact))
    return " ".join([_title(value), *facts])


def _tells(key: str, value: Any) -> bool:
    """Whether it is worth a place: the title is told already, and most counts are 0."""
    return key not in ("name", "id") and (isinstance(value, bool) or value not in (None, 0, []))


def _title(thing: View) -> str:
    name = thing["name"] or "unknown"
    return f"{name}[{thing['id']}]" if "id" in thing else str(name)
