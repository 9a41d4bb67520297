"""The steps that running tasks want to be stored, on their way into the store and back."""

from collections.abc import Iterable, Sequence

from ..exceptions import BrokerRefused
from ..model.message import Receipt
from ..model.outcome import Settlement
from ..pools import Pool
from ..pools.base import CLAIM_LOST, KEPT, StepRequest
from ..states import Phase
from .decide import decide_step

_Key = tuple[Receipt, str]  # of a task, and the name of its step


class StepRequests:
    """Requests of tasks that wait until their steps are written."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[_Key, StepRequest] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def settlements(self, requests: Iterable[StepRequest], now: float) -> list[Settlement]:
        """Note `requests`; return what is to be written for them."""
        found = []
        for request in requests:
            self._waiting[request.delivery.receipt, request.step.name] = request
            found.append(decide_step(request.delivery, request.step, now))
        return found

    def answer(self, written: Sequence[Settlement], refused: Sequence[Receipt]) -> None:
        """Tell the tasks whose steps are among `written` to go on; those `refused`, to end."""
        for settlement in written:
            lost = settlement.receipt in refused
            self._answer(settlement, CLAIM_LOST if lost else KEPT)

    def refuse(self, settlement: Settlement, why: BrokerRefused) -> bool:
        """Tell a task that its step cannot be stored. False: this was not a step of one."""
        return self._answer(settlement, str(why))

    def _answer(self, settlement: Settlement, answer: str) -> bool:
        if settlement.phase is not Phase.RUNNING or not settlement.steps:
            return False
        request = self._waiting.pop((settlement.receipt, settlement.steps[0].name), None)
        if request is not None:
            self._pool.answer(request, answer)
        return True
