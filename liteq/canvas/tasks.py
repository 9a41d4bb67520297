"""What a task can do in its workflow while it runs: `Task` has these methods."""

from contextvars import copy_context
from typing import Any

from ..exceptions import ImproperlyConfigured, Replaced
from ..execution.context import Context
from ..model.graph import Place, position_after_all
from ..result.app import App
from .signature import Signature
from .stamping import with_stamps


class InWorkflows:
    """The methods of a task for its workflow."""

    app: App
    name: str

    @property
    def request(self) -> Context:
        """Return the context of the current run."""
        raise NotImplementedError

    def on_replace(self, sig: Signature) -> None:
        """Run by `replace`, with the signature that replaces this task."""

    def replace(self, sig: Signature) -> Replaced:
        """Let `sig` do this task's work, under this task's id: `raise self.replace(sig)`.

        The callbacks of the task, and what comes after it, get the value of `sig`: of a group the
        list of values. Its tasks have the stamps of this task too. Raises ImproperlyConfigured
        when `sig` is an empty chain.
        """
        if not any(True for _ in sig.leaves()) and sig.subtask_type == "chain":
            raise ImproperlyConfigured("Cannot replace with an empty chain")
        self.on_replace(sig)
        stamps = self.request.stamps
        raise Replaced(with_stamps(sig, stamps) if stamps else sig, copy_context())

    def add_to_chord(self, sig: Signature) -> Any:
        """Add `sig` to the group of which this task is a member, while it runs; return its result.

        In the list that the body of the chord gets, its value is after those of the others. Raises
        ValueError when this task is not in the header of a chord.
        """
        request = self.request
        if request.chord is None or request.group is None or request.is_eager:
            raise ValueError(f"{self.name} runs in no chord's header to which more could be added")
        member = sig.clone()
        member.set_options({"chord": request.chord} if sig.subtask_type is None else {})
        result = member.freeze()
        place = Place(group=request.group, position=position_after_all())
        self.app.send_canvas(member, result, place)
        return result
