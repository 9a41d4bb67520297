"""RQ: a task is any function that can be imported."""


def add(x, y):
    return x + y
