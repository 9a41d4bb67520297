"""The reference of signals names each one, and says truly whether anybody sends it."""

import re

import pytest

from liteq import signals
from liteq.as_celery.counterparts import DIFFERENT
from liteq.signals import Signal
from tests.architecture.source import PACKAGE, ROOT

PAGE = (ROOT / "docs/reference/signals.md").read_text(encoding="utf-8")
SENT, NEVER = PAGE.split("## Never sent")
NAMES = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
CODE = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))


def listed(text: str) -> list[str]:
    """The names in the first cells of the tables in `text`."""
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_signal_is_documented_once() -> None:
    assert sorted(listed(SENT) + listed(NEVER)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_is_sent_if_the_reference_says_so(name: str) -> None:
    sent = re.search(rf"\b{name}\.send\(", CODE) is not None

    assert sent == (name in listed(SENT))


def test_check_celery_gives_the_reasons_of_the_reference() -> None:
    reasons = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", NEVER, re.MULTILINE))

    assert {
        name.removeprefix("celery.signals."): why.removeprefix("never sent: ")
        for name, why in DIFFERENT.items()
        if name.startswith("celery.signals.")
    } == reasons
