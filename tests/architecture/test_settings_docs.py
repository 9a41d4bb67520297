"""The reference of settings says what the code does, and the code does what it says."""

import re

from liteq.config import MEANINGLESS, SETTINGS
from liteq.config.celery import RENAMED, current_name
from tests.architecture.source import PACKAGE, ROOT

PAGE = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
CODE = re.compile(r"`([^`]+)`")


def rows(section: str) -> list[list[str]]:
    """The cells of the tables in `section`, without their heads."""
    lines = [line for line in SECTIONS[section].splitlines() if "`" in line and line[0] == "|"]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    written = {name: (default, meaning) for name, default, meaning in rows("All settings")}

    assert written == {
        f"`{name}`": (f"`{setting.default!r}`", setting.meaning)
        for name, setting in SETTINGS.items()
    }


def test_every_documented_old_name_is_accepted_for_its_setting() -> None:
    for old, new in rows("Celery's old names"):
        for name in CODE.findall(old):
            assert current_name(name) == new.strip("`")


def test_every_irregular_old_name_of_a_setting_is_documented() -> None:
    written = {name for old, _ in rows("Celery's old names") for name in CODE.findall(old)}

    assert {old.upper() for old, new in RENAMED.items() if new in SETTINGS} <= written


def test_every_setting_that_does_nothing_is_documented_with_the_reason() -> None:
    written = {
        name: reason
        for reason, names in rows("Celery's settings that do nothing here")
        for name in CODE.findall(names)
    }

    assert written == MEANINGLESS


# Of the work that is under way: signed pickle across Redis, and periodic tasks.
TO_COME = {"beat_schedule", "secret_key"}


def test_every_setting_is_read_somewhere() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "config"
    )
    unread = {name for name in SETTINGS if not re.search(rf"conf\.{name}\b", code)}

    assert unread <= TO_COME
