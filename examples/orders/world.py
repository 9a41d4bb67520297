"""What is not ours: a payment provider, a warehouse and the post, which fail and are slow.

They keep their books in `world.db`. As real providers do, they take a key with each request, and do
what was asked for under one key only once.
"""

import os
import random
import sqlite3
import time
from contextlib import closing

BOOKS = os.environ.get("WORLD", "world.db")
SLOW = float(os.environ.get("WORLD_SLOW", "0.5"))  # seconds that a request takes, at most
FAILS = float(os.environ.get("WORLD_FAILS", "0.3"))  # how many of the requests fail

TABLES = """
create table if not exists payment (key text primary key, amount integer, refunded integer);
create table if not exists parcel (key text primary key, address text);
create table if not exists letter (key text, address text, text text);
create table if not exists request (what text, key text);
"""


class Unreachable(ConnectionError):
    """The line was down, or broke: then nobody knows whether the request was heard."""


def charge(key, amount):
    """Take money; return a receipt."""
    _ask("charge", key, "insert or ignore into payment values (?, ?, 0)", (key, amount))
    return {"key": key, "amount": amount}


def refund(key):
    """Give the money back."""
    _ask("refund", key, "update payment set refunded = 1 where key = ?", (key,))


def ship(key, address):
    """Send a parcel; return its number."""
    _ask("ship", key, "insert or ignore into parcel values (?, ?)", (key, address))
    return f"parcel-{key}"


def mail(key, address, text):
    """Send a letter. The post knows no keys: if it is asked twice, two letters come."""
    _ask("mail", key, "insert into letter values (?, ?, ?)", (key, address, text))


def _ask(what, key, sql, values):
    time.sleep(random.uniform(0, SLOW))
    if random.random() < FAILS:
        raise Unreachable(f"{what}: no connection")
    with closing(sqlite3.connect(BOOKS, timeout=30)) as books:
        books.executescript(TABLES)
        with books:
            books.execute(sql, values)
            books.execute("insert into request values (?, ?)", (what, key))
    if what != "mail" and random.random() < FAILS / 2:
        raise Unreachable(f"{what}: the connection broke before the reply came")
