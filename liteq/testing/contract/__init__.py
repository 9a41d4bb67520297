"""What the verbs of the broker port mean, as tests that every broker must pass.

    class TestMine(BrokerContract):
        def make_broker(self, clock: ManualClock) -> Broker:
            return MyBroker(..., clock=clock)

        def kill_worker(self, broker: Broker, worker: int) -> None:
            ...  # its process is gone

Plain asserts and no test framework: pytest collects the subclass as it is. Each test's name is a
sentence of the definition; `docs/guides/testing.md` says more.
"""

from .claiming import Claiming
from .groups import Groups
from .rescuing import Rescuing
from .results import Results
from .revoking import Revoking
from .schedules import Schedules
from .sending import Sending
from .settling import Settling
from .tools import Tools
from .waiting import Waiting
from .workers import Workers
from .workflows import Workflows

__all__ = ["BrokerContract"]


class BrokerContract(
    Sending,
    Claiming,
    Settling,
    Rescuing,
    Revoking,
    Workflows,
    Groups,
    Schedules,
    Results,
    Workers,
    Waiting,
    Tools,
):
    """The tests that every broker must pass; a subclass says how to make one."""
