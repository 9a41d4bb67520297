"""The tools of an application, which look at its store and change what is in it."""

from typing import TYPE_CHECKING

from ..result.app import App
from .control import Control
from .dead_letters import DeadLetters

if TYPE_CHECKING:
    from ..beat.timetable import Timetable
    from .jobs import Jobs


class Tools:
    """The tools of an application. Those that few programs use are imported on use."""

    @property
    def schedules(self: App) -> "Timetable":
        """Return the periodic tasks in the store, to be listed and changed."""
        from ..beat.timetable import Timetable

        return Timetable(self)

    @property
    def control(self: App) -> Control:
        """Return the remote control: revoke and purge tasks, inspect workers."""
        return Control(self)

    @property
    def jobs(self: App) -> "Jobs":
        """Return the tasks that were sent, to be listed, retried, cancelled and deleted."""
        from .jobs import Jobs

        return Jobs(self)

    @property
    def dead_letters(self: App) -> DeadLetters:
        """Return the tasks that were set aside as dead, to be retried or purged."""
        return DeadLetters(self)

    def bugreport(self: App) -> str:
        """Return the versions, the system and the settings of this process, without secrets."""
        from .bugreport import bug_report

        return bug_report(self)
