"""Loggers for tasks: Celery's `celery.utils.log`."""

import logging

_ROOT = logging.getLogger()


def get_logger(name: str) -> logging.Logger:
    """The logger `name`; without handlers of its own it writes to the worker's log."""
    return _under("liteq", name)


def get_task_logger(name: str) -> logging.Logger:
    """The logger `name` for the lines of tasks: `logger = get_task_logger(__name__)`."""
    return _under("liteq.task", name)


def _under(parent: str, name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    # Only the parent changes: a program that has configured the logger itself keeps that.
    if logger.parent is _ROOT and name != parent:
        logger.parent = logging.getLogger(parent)
    return logger
