"""Applications and workers for tests, with the names of `celery.contrib.testing`."""
