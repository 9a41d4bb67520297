"""Where a worker's lines go. Only liteq's own logger is touched, never the root."""

import logging
import sys

FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"


def setup_logging(level: str | int | None, logfile: str | None, format: str | None) -> None:
    """Send liteq's lines, and those of `get_task_logger`, to `logfile` or standard error.

    With no `level` nothing is set up: an embedded worker speaks through its host's logging.
    """
    if level is None:
        return
    logger = logging.getLogger("liteq")
    handler = logging.FileHandler(logfile) if logfile else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(format or FORMAT))
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
