"""Which result led to which, as a graph that can be drawn."""

from collections.abc import Callable, Iterator
from typing import Any

Label = Callable[[Any], str]
"""What a node is called in a drawing."""


class DependencyGraph:
    """Nodes and arrows between them. Iterating answers the nodes in the order they were met."""

    def __init__(self, label: Label = str) -> None:
        self._after: dict[Any, list[Any]] = {}
        self._label = label

    def add_arc(self, node: Any) -> None:
        """Add a node, if it is not there yet."""
        self._after.setdefault(node, [])

    def add_edge(self, first: Any, then: Any) -> None:
        """Add an arrow from one node to another, both of which are there."""
        self._after[first].append(then)

    def __getitem__(self, node: Any) -> list[Any]:
        return self._after[node]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._after)

    def __len__(self) -> int:
        return len(self._after)

    def __contains__(self, node: object) -> bool:
        return node in self._after

    def edges(self) -> list[tuple[Any, Any]]:
        """The arrows, each as (from, to)."""
        return [(first, then) for first, after in self._after.items() for then in after]

    def to_dot(self, file: Any) -> None:
        """Write it to the open text `file` in the language of Graphviz."""
        file.write("digraph dependencies {\n")
        for node in self._after:
            file.write(f"    {_quoted(self._label(node))};\n")
        for first, then in self.edges():
            file.write(f"    {_quoted(self._label(first))} -> {_quoted(self._label(then))};\n")
        file.write("}\n")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} nodes, {len(self.edges())} arrows>"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
