"""Marks that travel with all tasks of a canvas: stamps."""

from collections.abc import Iterable, Mapping
from typing import Any

Stamps = Mapping[str, Any]


class StampingVisitor:
    """Says with what each part of a canvas is stamped: subclass it and hand it to `stamp`.

    Every method takes the signature and the stamps so far, and answers a dict of further stamps.
    A key `stamped_headers` lists those keys that are stamps; without it all are.
    """

    def on_signature(self, sig: Any, **headers: Any) -> Stamps:
        """A single task."""
        raise NotImplementedError(f"{type(self).__name__} defines no on_signature()")

    def on_group_start(self, sig: Any, **headers: Any) -> Stamps:
        """A group; what it answers is for its members as well."""
        return {}

    def on_group_end(self, sig: Any, **headers: Any) -> None:
        """The members are stamped."""

    def on_chain_start(self, sig: Any, **headers: Any) -> Stamps:
        """A chain; what it answers is for its steps as well."""
        return {}

    def on_chain_end(self, sig: Any, **headers: Any) -> None:
        """The steps are stamped."""

    def on_chord_header_start(self, sig: Any, **headers: Any) -> Stamps:
        """A chord, before its header, for which the answer is."""
        return {}

    def on_chord_header_end(self, sig: Any, **headers: Any) -> None:
        """The header is stamped."""

    def on_chord_body(self, sig: Any, **headers: Any) -> Stamps:
        """A chord, before its body, for which the answer is."""
        return {}

    def on_callback(self, sig: Any, **headers: Any) -> Stamps:
        """What is linked to a task."""
        return {}

    def on_errback(self, sig: Any, **headers: Any) -> Stamps:
        """What is linked to the failure of a task."""
        return {}


class GroupStampingVisitor(StampingVisitor):
    """Stamps the members of groups with the ids of the groups they are in, as `groups`."""

    def __init__(self, groups: Iterable[str] = ()) -> None:
        self.groups: list[str] = list(groups)

    def on_group_start(self, sig: Any, **headers: Any) -> Stamps:
        if sig.id is None:
            sig.freeze()
        self.groups.append(sig.id)
        return {"groups": list(self.groups), "stamped_headers": ["groups"]}

    def on_group_end(self, sig: Any, **headers: Any) -> None:
        self.groups.pop()

    def on_signature(self, sig: Any, **headers: Any) -> Stamps:
        return {"groups": list(self.groups), "stamped_headers": ["groups"]}


def only_stamps(headers: Stamps | None) -> dict[str, Any]:
    """Those of `headers` that are stamps: those in their `stamped_headers`, or all."""
    headers = headers or {}
    names = headers.get("stamped_headers", headers)
    return {k: v for k, v in headers.items() if k in names and k != "stamped_headers"}


def stamps_of(options: Mapping[str, Any], stamps: Stamps, append: bool) -> dict[str, Any]:
    """The options by which a signature with `options` is stamped with `stamps`.

    The stamps are options of their own names, which `stamped_headers` lists.
    """
    there = options.get("stamped_headers") or ()
    if append:
        stamps = {n: _both(options[n], v) if n in there else v for n, v in stamps.items()}
    return {**stamps, "stamped_headers": list(dict.fromkeys((*there, *stamps)))}


def _both(old: Any, new: Any) -> list[Any]:
    olds = old if isinstance(old, list) else [old]
    return [
        *olds,
        *(each for each in (new if isinstance(new, list) else [new]) if each not in olds),
    ]
