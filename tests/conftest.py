"""What all tests may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# `dev` is for a quick look after each change. `ci` tries more, and the same each time, so that a
# failure is due to the change and not to luck.
_SLOW = [HealthCheck.too_slow]  # a store on a busy disk is no mistake of the test
settings.register_profile("dev", max_examples=25, stateful_step_count=25, deadline=None)
settings.register_profile(
    "ci", max_examples=200, stateful_step_count=50, deadline=None, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a SQLite store of its own, empty; what is written to it need not survive."""
    return f"sqlite:///{tmp_path / 'store.db'}?durability=fast"
