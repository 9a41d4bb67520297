"""What type checkers see of the API. Never run: mypy reads it.

A call that must be refused carries an ignore; mypy's `warn_unused_ignores` fails when it is not.
"""

from typing import Any, assert_type

from liteq import AsyncResult, LiteQ, Signature, Task, shared_task
from liteq.beat.timetable import Timetable
from liteq.result import EagerResult
from liteq.worker.worker import Worker

app = LiteQ("typed")


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(queue="mail", max_retries=5)
def greet(name: str, *, loud: bool = False) -> str:
    return name


@app.task(bind=True)
def look(self: Task[..., Any], path: str) -> bytes:
    assert_type(self.request.retries, int)
    raise self.retry(countdown=3)


@shared_task
def double(n: float) -> float:
    return 2 * n


@shared_task(bind=True, name="halve")
def halve(self: Task[..., Any], n: float) -> float:
    return n / 2


class Shout(Task[[str], str]):
    def run(self, text: str) -> str:
        return text.upper()


# results

assert_type(add.delay(1), AsyncResult[int])
assert_type(add.delay(1, y=2).get(timeout=5), int)
assert_type(greet.delay("x", loud=True).get(), str)
assert_type(look.delay("/").get(), bytes)
assert_type(double.delay(1.5).get(), float)
assert_type(halve.delay(1.5).get(), float)
assert_type(add.apply_async((1,), {"y": 2}, countdown=3), AsyncResult[int])
assert_type(add.apply((1, 2)), EagerResult[int])
assert_type(add.AsyncResult("id").get(), int)
assert_type(app.AsyncResult("id").get(), Any)
assert_type(app.enqueue_many([add.s(1), add.s(2)]), list[AsyncResult[Any]])
assert_type(app.register_task(Shout), Task[[str], str])
assert_type(app.register_task(Shout()).delay("x"), AsyncResult[str])

# what an app is used for beside

assert_type(app.Worker(concurrency=2, queues=["mail"]), Worker)
assert_type(app.schedules, Timetable)
assert_type(app.current_task, Task[..., Any] | None)

# direct calls

assert_type(add(1, 2), int)
assert_type(look("/"), bytes)

# signatures are partial by design, so their arguments are not checked

assert_type(add.s(1), Signature)
assert_type(add.s("one").delay(), AsyncResult[Any])

# what must be refused

add.delay("one")  # type: ignore[arg-type]
add.delay()  # type: ignore[call-arg]
add.delay(1, 2, 3)  # type: ignore[call-arg]
add.delay(1, z=2)  # type: ignore[call-arg]
add("one")  # type: ignore[arg-type]
greet.delay("x", True)  # type: ignore[call-arg]
look.delay(5)  # type: ignore[arg-type]
double.delay("x")  # type: ignore[arg-type]
halve.delay()  # type: ignore[call-arg]
app.register_task(Shout).delay(5)  # type: ignore[arg-type]
app.Worker(concurrency="2")  # type: ignore[arg-type]
app.Worker(slots=2)  # type: ignore[call-arg]
add.apply_async("12")  # a text is a sequence: refused when it runs
add.apply_async(5)  # type: ignore[arg-type]
add.apply_async((1,), [2])  # type: ignore[arg-type]
result: AsyncResult[str] = add.delay(1)  # type: ignore[assignment]
