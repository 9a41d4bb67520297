"""Loggers for tasks: Celery's `celery.utils.log`."""

import logging

_ROOT: logging.Logger = logging.getLogger()


def get_logger(name: str) -> logging.Logger:
    """Return the logger `name`; without handlers of its own it writes to the worker's log."""
    return _under(logging.getLogger("liteq"), name)


def get_task_logger(name: str) -> logging.Logger:
    """Return the logger `name`, for lines of tasks: `logger = get_task_logger(__name__)`."""
    return _under(logging.getLogger("liteq.task"), name)


def _under(parent: logging.Logger, name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    # Only the parent changes: a program that has configured the logger itself keeps that.
    if logger.parent is _ROOT and logger is not parent:
        logger.parent = parent
    return logger
