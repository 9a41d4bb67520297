"""Parts for some programs only, with the names of `celery.contrib`; none is imported unasked."""
