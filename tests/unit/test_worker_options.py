"""The options of `app.Worker(...)`."""

import inspect
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import ImproperlyConfigured
from liteq.worker.options import WorkerOptions
from liteq.worker.worker import Worker


def test_the_options_that_editors_show_are_those_of_the_worker(app: LiteQ) -> None:
    names = [*inspect.signature(Worker).parameters][1:]

    assert list(WorkerOptions.__annotations__) == names
    assert isinstance(app.Worker(pool="threads", concurrency=1), Worker)


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("concurrency", "two", "an integer of at least 1"),
        ("concurrency", 0, "an integer of at least 1"),
        ("queues", 5, "a list of queue names"),
        ("queues", [5], "a list of queue names"),
        ("hostname", 5, "a text"),
        ("pool", 5, "'threads'"),
        ("max_tasks_per_child", "10", "an integer of at least 1"),
        ("max_memory_per_child", -1, "an integer of at least 1"),
        ("beat", "no", "True or False"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_cure(
    app: LiteQ, name: str, value: Any, cure: str
) -> None:
    options: Any = {name: value}
    with pytest.raises(ImproperlyConfigured, match=f"the worker's {name} is .*must be .*{cure}"):
        app.Worker(**options)


def test_an_option_means_what_the_setting_of_its_name_means(app: LiteQ) -> None:
    worker = app.Worker(pool="prefork", queues=("mail", "print"), max_tasks_per_child=5)

    assert (worker.pool_name, worker.queues) == ("processes", ("mail", "print"))
    assert worker.limits.tasks == 5
