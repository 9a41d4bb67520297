"""Celery's `celery.contrib.django.task`: the class of tasks in a Django project."""

from ...app.django import DjangoTask

__all__ = ["DjangoTask"]
