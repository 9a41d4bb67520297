"""Parts for Django, with the names of `celery.contrib.django`."""
