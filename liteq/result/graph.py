"""A graph of results and of what they started, which can be drawn."""

from collections.abc import Callable, Iterator
from typing import Any

Label = Callable[[Any], str]
"""A function that returns the label of a node in a drawing."""


class DependencyGraph:
    """A graph of nodes and edges. Iterating yields the nodes in the order they were added."""

    def __init__(self, label: Label = str) -> None:
        self._after: dict[Any, list[Any]] = {}
        self._label = label

    def add_arc(self, node: Any) -> None:
        """Add a node, unless the graph has it. Celery calls it so."""
        self._after.setdefault(node, [])

    def add_edge(self, first: Any, then: Any) -> None:
        """Add an edge from one node to another, both of which the graph has."""
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
        """Return the edges, each as (from, to)."""
        return [(first, then) for first, after in self._after.items() for then in after]

    def to_dot(self, file: Any) -> None:
        """Write the graph to the text file `file`, which is open, as Graphviz's DOT."""
        file.write("digraph dependencies {\n")
        for node in self._after:
            file.write(f"    {_quoted(self._label(node))};\n")
        for first, then in self.edges():
            file.write(f"    {_quoted(self._label(first))} -> {_quoted(self._label(then))};\n")
        file.write("}\n")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} nodes, {len(self.edges())} edges>"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
