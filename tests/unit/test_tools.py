"""The tools of an application, and what Celery's has besides."""

from unittest.mock import patch

import pytest

from liteq import LiteQ, Task
from liteq.result import GroupResult


@pytest.mark.parametrize("tool", ["control", "jobs", "schedules", "dead_letters"])
def test_each_tool_is_one_object(app: LiteQ, tool: str) -> None:
    assert getattr(app, tool) is getattr(app, tool)


def test_a_method_of_a_tool_can_be_patched(app: LiteQ, add: Task[..., int]) -> None:
    result = add.delay(1, 2)

    with patch.object(app.control, "revoke") as revoke:
        result.revoke()
        app.control.revoke(result.id)
    assert revoke.call_count == 2
    assert result.state == "PENDING"


def test_the_tools_of_two_applications_are_apart(app: LiteQ) -> None:
    other = LiteQ("other", broker="memory://", set_as_current=False)

    assert other.control is not app.control


def test_a_saved_group_is_restored_by_the_application(app: LiteQ, add: Task[..., int]) -> None:
    other = LiteQ("other", broker="memory://")  # now the current one
    group = app.GroupResult("g", [add.delay(1, 2), add.delay(3, 4)])
    group.save()

    restored = app.GroupResult.restore("g")

    assert restored == group
    assert restored is not None
    assert restored.app is app
    assert isinstance(restored, GroupResult)
    assert other.GroupResult.restore("g") is None
    assert app.ResultSet([]).app is app


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("amqp", "no connections"),
        ("connection_or_acquire", "no connections"),
        ("pool", "no connections"),
        ("log", "worker_log_format"),
        ("loader", "load_tasks"),
        ("select_queues", "-Q"),
        ("steps", "Worker"),
    ],
)
def test_what_an_application_does_not_have_is_missing_for_a_reason(
    app: LiteQ, name: str, reason: str
) -> None:
    assert not hasattr(app, name)
    with pytest.raises(AttributeError, match=f"LiteQ has no '{name}': .*{reason}"):
        getattr(app, name)


def test_what_a_tool_does_not_have_is_missing_for_a_reason(app: LiteQ) -> None:
    with pytest.raises(AttributeError, match=r"Control has no 'enable_events': .*event messages"):
        app.control.enable_events  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match=r"Inspect has no 'memdump': .*tracemalloc"):
        app.control.inspect().memdump  # type: ignore[attr-defined] # noqa: B018


def test_other_names_are_missing_as_ever(app: LiteQ) -> None:
    with pytest.raises(AttributeError, match="no attribute 'brokr'"):
        app.brokr  # type: ignore[attr-defined] # noqa: B018


def test_an_error_within_a_property_is_shown_as_it_is() -> None:
    class Broken(LiteQ):
        @property
        def secret(self) -> str:
            raise AttributeError("no key in the vault")

    with pytest.raises(AttributeError, match="no key in the vault"):
        Broken("x", set_as_current=False).secret  # noqa: B018
