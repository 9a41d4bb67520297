"""A task for tests: `ping`."""

from ...app.shared import shared_task


@shared_task(name="celery.ping")
def ping() -> str:
    """Return "pong"."""
    return "pong"
