"""The contract of the broker port: tests that define its verbs, and that every broker must pass.

    class TestMine(BrokerContract):
        def make_broker(self, clock: ManualClock) -> Broker:
            return MyBroker(..., clock=clock)

        def kill_worker(self, broker: Broker, worker: int) -> None:
            ...  # make the store believe that its process has died

They use plain asserts and no test framework; pytest collects the subclass as it is. The name of a
test is a sentence of the contract. `docs/guides/testing.md` says more.
"""

from .claiming import Claiming
from .events import Events
from .groups import Groups
from .guests import Guests
from .ordering import Orders
from .output import TaskOutput
from .rescuing import Rescuing
from .results import Results
from .revoking import Revoking
from .schedules import Schedules
from .sending import Sending
from .settling import Settling
from .statistics import StatisticsTests
from .steps import Steps
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
    Steps,
    TaskOutput,
    Events,
    Workers,
    Orders,
    Waiting,
    Tools,
    StatisticsTests,
    Guests,
):
    """The tests that every broker must pass. A subclass makes the broker."""
