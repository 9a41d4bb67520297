"""The block of `self.commit`: what a task writes, and its success, in one transaction."""

from ..exceptions import ClaimLost, TransactionError
from .completing import Completing


class Completion(Completing):
    """A transaction that ends the task that runs; `result` is the task's value."""

    def _check_transaction(self) -> None:
        request = self._request
        if not self._owns:
            raise TransactionError(
                "commit() begins the transaction itself, and this connection has one open: commit "
                "it or roll it back before"
            )
        if request.settle is None:  # a direct call, or `apply`: nothing is stored of it
            return
        if self._guest is None:
            raise TransactionError(
                f"commit() needs a connection to the store itself, {self.broker.url}: use once() "
                f"for another database, or let the store be in the same SQLite file"
            )
        if not request.settle.holds(request):
            raise ClaimLost(f"{request.task}[{request.id}] is another worker's by now")

    def before_commit(self) -> None:
        super().before_commit()
        request = self._request
        if request.settle is not None:
            request.settle.succeed(request, self.result)

    def _end(self, *, commit: bool) -> None:
        super()._end(commit=commit)
        if commit:
            self._request.completed = (self.result,)
            self._request.settled = self._request.settle is not None
