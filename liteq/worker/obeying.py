"""The commands that orders name: found, run, and answered in JSON.

Any program that can write to the store may have given an order: what is wrong with one is the
answer to it, and harms nothing else.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ..exceptions import ConfigurationError, InvalidTaskError, LiteqError
from ..model.order import Answer, Order
from ..support.nearest import did_you_mean
from ..support.printable import one_line
from .commands import COMMANDS, FROM_STORE
from .control import CONTROL, Command, Panel, nok
from .controlled import Controlled
from .task_log import logger


class Obeying:
    """Runs the commands of orders to one worker.

    liteq's own run at once, in the loop. Those of the program run in a thread, one after the other,
    as nobody knows for how long; `wake` is called when one has ended.
    """

    def __init__(self, target: Controlled, wake: Callable[[], None]) -> None:
        self._target = target
        self._wake = wake
        self._programs: SimpleQueue[tuple[Order, Command, Mapping[str, Any]]] | None = None
        self.answers: deque[Answer] = deque()
        self.changed: bool = False  # a command ran that may have changed the worker

    def take_answers(self) -> list[Answer]:
        """Return the answers that are ready."""
        return [self.answers.popleft() for _ in range(len(self.answers))]

    def begin(self, order: Order) -> None:
        """Run the command of an order; its answer is among `answers`, now or later."""
        try:
            self._check_allowed()
            arguments = _arguments_of(order)
            if (command := Panel.data.get(order.name)) is not None:
                self._run_aside(order, command, arguments)
                return
            command = _command_of(order)
        except LiteqError as exc:
            logger.warning("an order is refused: %s", exc)
            self._answer(order, nok(str(exc)))
            return
        if command.kind == CONTROL:
            self.changed = True
            logger.info("order: %s %s", command.name, one_line(order.arguments))
        self._answer(order, _run(command, self._target, arguments))

    def _check_allowed(self) -> None:
        if not self._target.app.conf.worker_enable_remote_control:
            raise ConfigurationError("this worker takes no orders: worker_enable_remote_control")

    def _run_aside(self, order: Order, command: Command, arguments: Mapping[str, Any]) -> None:
        if self._programs is None:
            self._programs = SimpleQueue()
            Thread(
                target=self._work, args=(self._programs,), name="liteq-orders", daemon=True
            ).start()
        self._programs.put((order, command, arguments))

    def _work(self, queue: "SimpleQueue[tuple[Order, Command, Mapping[str, Any]]]") -> None:
        while True:
            order, command, arguments = queue.get()
            self._answer(order, _run(command, self._target.state, arguments))
            self._wake()

    def _answer(self, order: Order, value: Any) -> None:
        try:
            text = json.dumps(value, default=repr)
        except (TypeError, ValueError, RecursionError) as exc:
            text = json.dumps(nok(f"{order.name} returned what JSON cannot hold: {exc}"))
        self.answers.append(Answer(order.call, order.worker, text))


def _run(command: Command, first: object, arguments: Mapping[str, Any]) -> Any:
    """Return what a command returns; the error that it raises, as an answer."""
    try:
        return command.run(first, **arguments)
    except (LiteqError, TypeError, ValueError) as exc:
        logger.warning("the order %s failed: %s", command.name, exc)
        return nok(str(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it is, the worker goes on
        logger.exception("the order %s failed", command.name)
        return nok(repr(exc))


def _arguments_of(order: Order) -> Mapping[str, Any]:
    """Return the arguments of an order by name. Raises InvalidTaskError."""
    try:
        arguments = json.loads(order.arguments)
    except (ValueError, RecursionError) as exc:
        raise InvalidTaskError(f"the arguments of {order.name!r:.100} are no JSON: {exc}") from None
    if not isinstance(arguments, dict):
        raise InvalidTaskError(f"the arguments of {order.name!r:.100} are no JSON object")
    return arguments


def _command_of(order: Order) -> Command:
    """Return liteq's own command that an order names. Raises InvalidTaskError."""
    found = COMMANDS.get(order.name)
    if found is not None:
        return found
    why = FROM_STORE.get(order.name)
    hint = f": {why}" if why else did_you_mean(order.name[:100], [*COMMANDS, *Panel.data])
    raise InvalidTaskError(f"there is no command {order.name!r:.100}{hint}")
