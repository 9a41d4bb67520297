"""Stamps: marks that travel with all tasks of a canvas."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from ..sending.options import LINKS

Stamps = Mapping[str, Any]


class StampingVisitor(ABC):
    """A visitor that gives each part of a canvas its stamps: subclass it and pass it to `stamp`.

    Every method takes the signature, which it may change, and the stamps so far, and returns a
    dict of further stamps, or None. Its key `stamped_headers` lists those of its keys that are
    stamps; without it all are. A stamp is a value that JSON has, or a set of such.
    """

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of a single task."""
        return {}

    def on_group_start(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of a group, which its members get as well."""
        return {}

    def on_group_end(self, sig: Any, **headers: Any) -> None:
        """Run when the members of a group are stamped."""

    def on_chain_start(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of a chain, which its steps get as well."""
        return {}

    def on_chain_end(self, sig: Any, **headers: Any) -> None:
        """Run when the steps of a chain are stamped."""

    def on_chord_header_start(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of the header of a chord: those of the group that it is."""
        return self.on_group_start(sig.header, **headers)

    def on_chord_header_end(self, sig: Any, **headers: Any) -> None:
        """Run when the header of a chord is stamped: the end of the group that it is."""
        self.on_group_end(sig.header, **headers)

    def on_chord_body(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of the body of a chord."""
        return {}

    def on_callback(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of a callback of a task."""
        return {}

    def on_errback(self, sig: Any, **headers: Any) -> Any:
        """Return the stamps of an errback of a task."""
        return {}


class GroupStampingVisitor(StampingVisitor):
    """A visitor that stamps the members of groups with the ids of their groups, as `groups`."""

    def __init__(self, groups: Iterable[str] = ()) -> None:
        self.groups: list[str] = list(groups)

    def on_group_start(self, sig: Any, **headers: Any) -> Any:
        if sig.id is None:
            sig.freeze()
        self.groups.append(sig.id)
        return {"groups": list(self.groups), "stamped_headers": ["groups"]}

    def on_group_end(self, sig: Any, **headers: Any) -> None:
        self.groups.pop()

    def on_signature(self, sig: Any, **headers: Any) -> Any:
        return {"groups": list(self.groups), "stamped_headers": ["groups"]}


def stamp_links(sig: Any, visitor: Any, append: bool, stamps: Stamps) -> None:
    """Stamp the callbacks and errbacks of `sig` with `stamps`, and with what `visitor` returns."""
    for name in LINKS:
        for linked in sig.links(name):
            more: dict[str, Any] = {}
            if visitor is not None:
                visit = visitor.on_callback if name == "link" else visitor.on_errback
                more = only_stamps(visit(linked, **stamps))
            linked.stamp(visitor, append, **{**stamps, **more})


def with_stamps(sig: Any, stamps: Stamps) -> Any:
    """Return a copy of `sig`, whose tasks have `stamps` unless they have ones of these names."""
    copy = sig.clone()
    for leaf in copy.leaves():
        present = leaf.options.get("stamped_headers") or ()
        missing = {name: value for name, value in stamps.items() if name not in present}
        leaf.set(**stamps_of(leaf.options, missing, append=False))
    return copy


def only_stamps(headers: Stamps | None) -> dict[str, Any]:
    """Return those of `headers` that are stamps: those in their `stamped_headers`, or all."""
    headers = headers or {}
    names = headers.get("stamped_headers", headers)
    return {k: v for k, v in headers.items() if k in names and k != "stamped_headers"}


def stamps_of(options: Mapping[str, Any], stamps: Stamps, append: bool) -> dict[str, Any]:
    """Return the options that add `stamps` to a signature with `options`.

    Each stamp is an option of its own name; `stamped_headers` lists these names. `append`: put
    a stamp beside one of the same name, instead of over it.
    """
    present = options.get("stamped_headers") or ()
    if append:
        stamps = {n: _both(options[n], v) if n in present else v for n, v in stamps.items()}
    return {**stamps, "stamped_headers": list(dict.fromkeys((*present, *stamps)))}


def _both(old: Any, new: Any) -> list[Any]:
    olds = old if isinstance(old, list) else [old]
    return [
        *olds,
        *(each for each in (new if isinstance(new, list) else [new]) if each not in olds),
    ]
