"""HTML, built from elements. What is no `Html` is text, and escaped: nothing can inject any."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias, Union

from ..support.printable import escaped

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """A piece of HTML, which is put into a page as it is."""

    __slots__ = ()


Part: TypeAlias = Union[str, int, float, "Html", Iterable["Part"], None]
"""Stand for what an element may hold. None is nothing; a list are its members, in order."""


def el(tag: str, /, *parts: Part, **attributes: str | float | bool | None) -> Html:
    """Return an element.

    `attributes`: True is one without a value, None and False are none. A trailing underscore is
    dropped (`class_`), others are hyphens (`data_id`).
    """
    said = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        title = key.removesuffix("_").replace("_", "-")
        said.append(f" {title}" if value is True else f' {title}="{_text(value)}"')
    opened = f"<{tag}{''.join(said)}>"
    return Html(opened if tag in _VOID else f"{opened}{join(*parts)}</{tag}>")


def join(*parts: Part) -> Html:
    """Return the parts, one after the other."""
    return Html("".join(map(_render, parts)))


def _render(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, Html):
        return part
    if isinstance(part, str | int | float):
        return _text(part)
    return "".join(map(_render, part))


def _text(value: object) -> str:
    # What the standard forbids in HTML, or what would turn the text round, is shown by its code.
    return escape(escaped(str(value), but="\n\t"))
