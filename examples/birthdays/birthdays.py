"""Every morning, find the customers whose birthday it is and send each of them a message."""

import os
import smtplib
import sqlite3
from contextlib import closing
from datetime import date, datetime
from email.message import EmailMessage
from pathlib import Path

from liteq import LiteQ
from liteq.schedules import crontab

CUSTOMERS = os.environ.get("CUSTOMERS", "customers.db")
SMTP = os.environ.get("SMTP")  # "mail.example.org:25"; without it messages go to a file
OUTBOX = os.environ.get("OUTBOX", "outbox.txt")

app = LiteQ("birthdays", broker=os.environ.get("LITEQ_BROKER_URL", "sqlite:///birthdays.db"))
app.conf.timezone = "Europe/Paris"

MORNING = crontab.from_string(os.environ.get("MORNING", "0 8 * * *"))


@app.task(schedule=MORNING, bind=True)
def find_birthdays(self):
    """Send one task for each customer whose birthday it is.

    Its id names the customer and the year. So if this runs twice for a day, because the machine
    went down in the middle, no customer gets two messages: a known id is not sent again.
    """
    today = day_of(self.request)
    with closing(sqlite3.connect(CUSTOMERS)) as db:
        born_today = db.execute(
            "select id from customer where strftime('%m-%d', born) in (?, ?)", days_of(today)
        ).fetchall()
    app.enqueue_many(
        congratulate.s(id, today.year).set(task_id=f"birthday-{id}-{today.year}")
        for (id,) in born_today
    )
    return len(born_today)


@app.task(autoretry_for=(OSError,), retry_backoff=60, max_retries=8, acks_late=True)
def congratulate(customer, year):
    """Send one message. While the mail server is down it is retried, for some hours."""
    with closing(sqlite3.connect(CUSTOMERS)) as db:
        name, address, born = db.execute(
            "select name, email, born from customer where id = ?", (customer,)
        ).fetchone()
    age = year - date.fromisoformat(born).year
    message = EmailMessage()
    message["From"] = "shop@example.org"
    message["To"] = address
    message["Subject"] = f"Happy birthday, {name}!"
    message["Message-ID"] = f"<birthday-{customer}-{year}@example.org>"  # the same if sent again
    message.set_content(f"Dear {name},\n\nall the best for your year number {age + 1}!\n")
    send(message)
    return address


def day_of(request):
    """Return the day that this run is for: that of its due time, even when it runs late."""
    moment = (request.headers or {}).get("periodic_task_moment")
    when = app.now() if moment is None else datetime.fromisoformat(moment)
    return when.astimezone(app.timezone).date()


def days_of(today):
    """Return the birthdays of this day: in most years, those of 29 February on the 28th too."""
    leap_year = today.year % 4 == 0 and (today.year % 100 != 0 or today.year % 400 == 0)
    both = (today.month, today.day) == (2, 28) and not leap_year
    return today.strftime("%m-%d"), "02-29" if both else today.strftime("%m-%d")


def send(message):
    """Send it by the mail server, or append it to the outbox."""
    if SMTP:
        host, _, port = SMTP.partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=10) as server:
            server.send_message(message)
    else:
        with Path(OUTBOX).open("a", encoding="utf-8") as file:
            file.write(f"{message['To']}: {message['Subject']}\n")
