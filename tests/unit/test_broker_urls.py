"""URLs of brokers as Celery's programs write them."""

import warnings
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.exceptions import ImproperlyConfigured


def quiet(**options: Any) -> LiteQ:
    return LiteQ("x", set_as_current=False, **options)


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITEQ_BROKER_URL", raising=False)


@pytest.mark.parametrize("url", ["pyamqp://guest@localhost//", "sqs://", "sqla+sqlite:///x.db"])
def test_a_broker_that_liteq_has_not_is_an_error_that_says_what_to_do(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"broker='sqlite:///.*LITEQ_BROKER_URL"):
        quiet(broker=url).broker.check_exists()


def test_the_environment_takes_the_place_of_a_broker_that_liteq_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITEQ_BROKER_URL", "memory://")
    app = quiet(broker="pyamqp://guest:hush@localhost//", backend="redis://localhost")

    with pytest.warns(UserWarning, match="tasks go to memory://.*pyamqp://guest:...@localhost"):
        assert app.broker.url == "memory://"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert app.backend.broker is app.broker


def test_the_environment_does_not_take_the_place_of_a_url_that_liteq_serves_or_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("LITEQ_BROKER_URL", "memory://")

    assert quiet(broker=f"sqlite:///{tmp_path}/x.db").broker.url.startswith("sqlite://")
    with pytest.raises(ImproperlyConfigured, match="did you mean 'redis://'"):
        connect("redsi://localhost")


def test_a_list_of_one_url_is_that_url() -> None:
    assert quiet(broker=["memory://"]).broker.url == "memory://"
    assert quiet(broker_url=["memory://"]).broker.url == "memory://"


@pytest.mark.parametrize(
    "url", [["redis://one", "redis://two"], "redis://one;redis://two", "sentinel://a;sentinel://b"]
)
def test_a_list_of_brokers_is_an_error_that_names_one_url(url: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"one store.*redis\+sentinel://host1"):
        quiet(broker=url).broker.check_exists()


def test_sentinels_are_named_as_liteq_does() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"write redis\+sentinel://.*master_name"):
        connect("sentinel://localhost:26379")
