import sys

from liteq.result import AsyncResult
from project import app

result = AsyncResult(id=sys.argv[1], app=app)

if result.successful():
    print(result.get())
elif result.failed():
    print("failed")
elif result.status == "PENDING":
    print("waiting to be run")
elif result.status == "RETRY":
    print("being retried")
elif result.status == "STARTED":
    print("running")
