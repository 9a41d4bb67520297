"""Celery's `celery.utils`."""

import logging

import pytest

from liteq.utils import uuid
from liteq.utils.log import get_logger, get_task_logger


def test_lines_of_a_task_logger_go_where_the_workers_lines_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = get_task_logger("some.module.of.mine")
    assert logger.parent is logging.getLogger("liteq.task")
    logger.warning("hello")

    assert "hello" in caplog.text


def test_a_logger_below_a_configured_one_stays_there() -> None:
    mine = logging.getLogger("mine")
    logging.getLogger("mine.tasks")

    assert get_task_logger("mine.tasks").parent is mine
    assert get_logger("liteq").parent is logging.getLogger()


def test_ids_differ() -> None:
    assert len({uuid() for _ in range(1000)}) == 1000
