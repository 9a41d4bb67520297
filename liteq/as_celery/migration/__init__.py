"""Read a project that was written for Celery, and tell what of it works with liteq.

Nothing of the project is imported or run. `files` reads it, `check` puts the rest together:
`module` says what the names of a Python file mean, `code`, `settings` and `commands` find uses of
Celery, and `verdicts` judges each of them by the rule that liteq itself follows.
"""

from .check import check
from .files import File, Unread, files_below
from .findings import Finding, State, Use, Verdict

__all__ = ["File", "Finding", "State", "Unread", "Use", "Verdict", "check", "files_below"]
