"""Celery's warnings, which programs name in filters of warnings. liteq gives none of them."""

__all__ = [
    "AlwaysEagerIgnored",
    "CDeprecationWarning",
    "CPendingDeprecationWarning",
    "CeleryWarning",
    "DuplicateNodenameWarning",
    "FixupWarning",
    "NotConfigured",
    "SecurityWarning",
]


class CeleryWarning(UserWarning):
    """The base of Celery's warnings."""


class AlwaysEagerIgnored(CeleryWarning):
    """A task is sent although all tasks should run in the process that calls them."""


class DuplicateNodenameWarning(CeleryWarning):
    """Two workers have one name."""


class FixupWarning(CeleryWarning):
    """A project of Django could not be set up."""


class NotConfigured(CeleryWarning):
    """No module of settings was found."""


class SecurityWarning(CeleryWarning):
    """A worker may run code of strangers."""


class CDeprecationWarning(DeprecationWarning):
    """A program uses what a later version will not have."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """A program uses what some version will not have."""
