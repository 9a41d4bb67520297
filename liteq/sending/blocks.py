"""Blocks in which tasks are sent as part of a transaction of the application."""

import os
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Protocol

from ..brokers.base import Answers, Broker
from ..exceptions import TransactionError
from ..model.graph import Graph
from ..model.message import Message


class Outlet(Protocol):
    """What messages are sent to: a broker, or what keeps them until the transaction commits."""

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> Answers: ...
    def enqueue_or_replace(
        self, message: Message, sent: float, *, durable: bool = False
    ) -> bool: ...
    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> Answers: ...


class Block(Protocol):
    """A block, which code in it finds by its context; that may outlive it."""

    is_open: bool
    pid: int
    place: str  # where it began, for people

    @property
    def broker(self) -> Broker: ...

    @property
    def outlet(self) -> Outlet: ...


_blocks: ContextVar[tuple[Block, ...]] = ContextVar("liteq_blocks", default=())


def open_blocks() -> list[Block]:
    """Return the blocks that this code is in, the innermost one first."""
    blocks = _blocks.get()
    if not blocks:
        return []
    pid = os.getpid()  # a forked child is in no block
    return [block for block in reversed(blocks) if block.is_open and block.pid == pid]


def refuse_in_block(what: str) -> None:
    """Raise TransactionError in a block, where `what` would wait for the end of the block."""
    if blocks := open_blocks():
        raise TransactionError(
            f"{what} inside the transaction of {blocks[0].place} would wait for its end, as it "
            f"writes in a transaction of its own. Do it before the block, or after it"
        )


def outlet_of(broker: Broker) -> Outlet:
    """Return what takes messages for `broker` here: itself, outside of blocks."""
    if _blocks.get():
        for block in open_blocks():
            if block.broker is broker:
                return block.outlet
    return broker


def enter_block(block: Block) -> None:
    """Send what is sent here to the outlet of `block`, while it is open."""
    _blocks.set((*_blocks.get(), block))


def leave_block(block: Block) -> None:
    """Undo `enter_block`."""
    _blocks.set(tuple(each for each in _blocks.get() if each is not block))
