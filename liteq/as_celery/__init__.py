"""Serve `celery`, `kombu` and `billiard` from liteq, so that a Celery project runs as it is.

    import liteq.as_celery  # before anything that imports Celery

The command line has `python -m liteq --as-celery worker -A proj`. Child processes of a worker do
the same before they import the project. What has no counterpart raises ImportError or
AttributeError, with the reason. Importing this module raises ImproperlyConfigured when the real
Celery is already imported.

To serve another module: its line in `SERVED` of `counterparts`, or in `MISSING` with the reason.
"""

from ..support.childprocess import import_in_children
from .finder import install

install()
import_in_children(__name__)

__all__ = ["install"]
