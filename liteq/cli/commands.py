"""The table of the commands. Only the one that is asked for is imported."""

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import Protocol

COMMANDS = {
    "worker": "run tasks until stopped",
    "beat": "fire periodic tasks, and do nothing else",
    "status": "show who works and what waits",
    "call": "send a task by name",
    "emit": "emit an event, for which tasks wait",
    "jobs": "list the tasks that were sent, and retry, cancel or delete them",
    "why": "say why tasks wait, ended as they did, or ran more than once",
    "web": "serve the dashboard, for a browser",
    "stats": "show how tasks fared in the last hour, or up to 14 days",
    "result": "show the result of a task",
    "logs": "show what a task has printed and logged",
    "graph": "show a workflow: its tasks, their states, what waits for what",
    "inspect": "show running, waiting and registered tasks",
    "control": "have workers do something: grow, shrink, stop, serve other queues",
    "shell": "open a Python prompt with the application and its tasks",
    "purge": "drop the tasks that wait to be run",
    "revoke": "cancel tasks by id, name or header",
    "schedule": "show, add, pause and remove periodic tasks",
    "dead": "look at tasks that were set aside, and try them again",
    "doctor": "look for what is wrong with the store, and repair it",
    "backup": "copy the store to a file while it is in use",
    "move": "move everything from one store to another",
    "check-celery": "tell what of a project that was written for Celery works with liteq",
}


class Command(Protocol):
    """A module of this folder that is a command."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the command's own options."""

    def run(self, args: Namespace) -> int:
        """Run the command; return the exit code."""


def module_of(command: str) -> Command:
    """Import and return the module of a command."""
    module: Command = import_module(f".{command.replace('-', '_')}", __package__)
    return module
