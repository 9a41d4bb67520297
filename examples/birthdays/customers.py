"""Create a table of customers to try the example with: `python customers.py`."""

import sqlite3
from contextlib import closing

from birthdays import CUSTOMERS, app

TODAY = app.now().strftime("-%m-%d")
PEOPLE = [
    ("Ada", "ada@example.org", "1990-12-10"),
    ("Blaise", "blaise@example.org", "1988-06-19"),
    ("Leap", "leap@example.org", "1992-02-29"),
    ("You", "you@example.org", f"1996{TODAY}"),
]


def make_customers(path, people=PEOPLE):
    """Create a new table with these people: name, email, date of birth."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("drop table if exists customer")
        db.execute("create table customer (id integer primary key, name, email, born)")
        db.executemany("insert into customer (name, email, born) values (?, ?, ?)", people)


if __name__ == "__main__":
    make_customers(CUSTOMERS)
