"""Signatures, which are calls to make later, and canvases, which are made of signatures.

To add a kind of canvas: a new file here, and its line in `TYPES`.
"""

from .chain import chain
from .chord import chord
from .group import group
from .mapped import chunks, xmap, xstarmap
from .signature import Signature, as_signature, maybe_signature
from .stamping import GroupStampingVisitor, StampingVisitor

# isort: split
# After the module of that name, which type checkers would take it for otherwise.
from .factory import signature, subtask

_chain = chain
_chord = chord

Signature.TYPES.update(
    chain=chain, chord=chord, chunks=chunks, group=group, xmap=xmap, xstarmap=xstarmap
)

__all__ = [
    "GroupStampingVisitor",
    "Signature",
    "StampingVisitor",
    "_chain",
    "_chord",
    "as_signature",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "subtask",
    "xmap",
    "xstarmap",
]
