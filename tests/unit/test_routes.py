"""`task_routes` in all its forms."""

import re
import sys
import types
from collections.abc import Mapping
from typing import Any

import pytest

from liteq.exceptions import ImproperlyConfigured
from liteq.sending.routes import route


def queue(routes: Any, name: str) -> Any:
    return route(routes, name, (), {}, {}, None).get("queue")


def test_a_name_goes_where_the_dict_says() -> None:
    routes = {"shop.pay": "money", "shop.mail": {"queue": "mail", "priority": 3}}

    assert queue(routes, "shop.pay") == "money"
    assert route(routes, "shop.mail", (), {}, {}, None) == {"queue": "mail", "priority": 3}
    assert route(routes, "shop.other", (), {}, {}, None) == {}


def test_patterns_are_globs_or_regular_expressions_and_the_first_that_fits_counts() -> None:
    routes = {
        "shop.*": "shop",
        re.compile(r"(mail|news)\..*"): "mail",
        "*": "rest",
    }

    assert [queue(routes, name) for name in ("shop.pay", "news.send", "x")] == [
        "shop",
        "mail",
        "rest",
    ]


def test_the_exact_name_goes_before_a_pattern() -> None:
    assert queue({"shop.*": "shop", "shop.pay": "money"}, "shop.pay") == "money"


@pytest.mark.parametrize(
    "routes",
    [
        [("shop.*", "shop"), ("*", "rest")],
        ([("shop.*", {"queue": "shop"}), ("*", "rest")],),
        [{"news.*": "news"}, {"shop.*": "shop"}],
        (lambda *_, **__: None, {"shop.*": "shop"}),
    ],
)
def test_lists_of_pairs_and_of_routers(routes: Any) -> None:
    assert queue(routes, "shop.pay") == "shop"


def test_a_function_sees_the_call_and_returns_options_or_a_queue_or_none() -> None:
    seen: list[Any] = []

    def by_argument(
        name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **more: Any
    ) -> Mapping[str, Any] | str | None:
        seen.append((name, args, kwargs, options, task))
        return "big" if args[0] > 100 else None

    assert route(by_argument, "resize", (500,), {"k": 1}, {"priority": 1}, "task") == {
        "queue": "big"
    }
    assert route(by_argument, "resize", (5,), {}, {}, None) == {}
    assert seen[0] == ("resize", (500,), {"k": 1}, {"priority": 1}, "task")


def test_an_object_may_have_route_for_task() -> None:
    class Router:
        def route_for_task(self, name: str, *_: Any, **__: Any) -> str:
            return name.upper()

    assert queue([Router()], "shop") == "SHOP"


def test_a_dotted_name_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_routes")
    module.ROUTES = {"*": "mine"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_routes", module)

    assert queue("my_routes.ROUTES", "x") == "mine"
    assert queue(["my_routes:ROUTES"], "x") == "mine"


def test_the_name_after_a_colon_may_be_dotted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Router:
        @staticmethod
        def route(name: str, *_: Any, **__: Any) -> str:
            return name.upper()

    module = types.ModuleType("my_routes")
    module.router = Router  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_routes", module)

    assert queue("my_routes:router.route", "x") == "X"


@pytest.mark.parametrize("name", ["no_such_module.route", "os.no_such_function", "nodot"])
def test_a_dotted_name_that_leads_nowhere_is_named(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        queue(name, "x")
