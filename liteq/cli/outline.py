"""JSON documents as lines for people: the same content as with `--json`."""

from collections.abc import Iterator
from typing import Any

from .views import View


def outline(document: View) -> Iterator[str]:
    """Yield a heading for each object in `document`, and its facts below."""
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
        elif isinstance(value, str) and "\n" in value:
            yield f"   {key}:"
            yield from (f"      {line}" for line in value.strip().splitlines())
        elif _is_shown(key, value):
            yield f"   {key}: {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        shown = {key: fact for key, fact in value.items() if _is_shown(key, fact)}
        return " ".join(f"{key}={_text(fact)}" for key, fact in shown.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    facts = (f"{key}={fact}" for key, fact in value.items() if _is_shown(key, fact))
    return " ".join([_title(value), *facts])


def _is_shown(key: str, value: Any) -> bool:
    """Return whether to show the fact: not the title again, and nothing that is 0 or empty."""
    return key not in ("name", "id") and (isinstance(value, bool) or value not in (None, 0, [], {}))


def _title(thing: View) -> str:
    name = thing["name"] or "unknown"
    return f"{name}[{thing['id']}]" if "id" in thing else str(name)
