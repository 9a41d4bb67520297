"""The dashboard under Flask, Django and FastAPI, at a prefix, by their real servers."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.project import Project

ANNA = {"x-user": "anna"}
TASKS = """
from liteq import LiteQ, web

app = LiteQ("shop", broker="sqlite:///project.db")

@app.task
def add(x, y):
    return x + y

def may(request):
    headers = {name.lower(): value for name, value in request.items() if isinstance(value, str)}
    return {"anna": "all", "rita": "read"}.get(headers.get("http_x_user"))
"""

FLASK = """
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from project import *

site = Flask("shop")
site.add_url_rule("/", view_func=lambda: "the shop")
site.wsgi_app = DispatcherMiddleware(site.wsgi_app, {"/admin/queue": web.wsgi(app, authorize=may)})
server = make_server("127.0.0.1", 0, site, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""

DJANGO = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", SECRET_KEY="x", ALLOWED_HOSTS=["*"])
import django
django.setup()
from django.core.wsgi import get_wsgi_application
from project import *

site, dashboard = get_wsgi_application(), web.wsgi(app, authorize=may)

def both(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/admin/queue/"):
        environ["SCRIPT_NAME"] += "/admin/queue"
        environ["PATH_INFO"] = path.removeprefix("/admin/queue")
        return dashboard(environ, start_response)
    return site(environ, start_response)

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

server = make_server("127.0.0.1", 0, both, server_class=Server)
print(server.server_port, flush=True)
server.serve_forever()
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("the shop"))]
"""

FASTAPI = """
import uvicorn
from fastapi import FastAPI
from project import *

site = FastAPI()

@site.get("/")
async def home():
    return "the shop"

def authorize(scope):
    headers = dict(scope["headers"])
    return {b"anna": "all", b"rita": "read"}.get(headers.get(b"x-user"))

site.mount("/admin/queue", web.asgi(app, authorize=authorize))

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)

Server(uvicorn.Config(site, port=0, log_level="warning")).run()
"""

PROGRAMS = {"flask": FLASK, "django": DJANGO, "fastapi": FASTAPI}


FORM = "liteq-form"


@pytest.fixture(params=PROGRAMS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx.Client]:
    """Yield a client of the site, where the dashboard is at /admin/queue."""
    project = Project(tmp_path, TASKS)
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "site_of_shop.py").write_text(PROGRAMS[request.param])
    project.python("from project import *; add.delay(1, 2); add.delay(3, 4)")
    with project.program("site_of_shop.py") as program:
        port = program.wait_for_line("^[0-9]+$").strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client


def jobs_of(page: str) -> list[str]:
    return re.findall(r'name="id" value="([^"]+)"', page)


def test_it_is_mounted_beside_the_site_and_its_links_stay_there(site: httpx.Client) -> None:
    response = site.get("/admin/queue/", headers=ANNA)
    links = re.findall(r'(?:href|src|data-live|action)="([^"]*)"', response.text)

    assert "the shop" in site.get("/").text
    assert "<h1>Overview</h1>" in response.text
    assert links
    assert all(each.startswith(("/admin/queue/", "#")) for each in links), links
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert site.get("/admin/queue/static/liteq.css", headers=ANNA).status_code == 200


def test_who_is_not_let_in_sees_nothing_and_who_may_look_changes_nothing(
    site: httpx.Client,
) -> None:
    assert site.get("/admin/queue/").status_code == 403
    page = site.get("/admin/queue/jobs", headers={"x-user": "rita"})

    assert page.status_code == 200
    assert 'method="post"' not in page.text


def test_forms_work_at_the_prefix(site: httpx.Client) -> None:
    first, _ = jobs_of(site.get("/admin/queue/jobs", headers=ANNA).text)
    form = {"form": site.cookies[FORM], "id": first, "back": "/admin/queue/jobs?state=cancelled"}
    done = site.post("/admin/queue/act/cancel", headers=ANNA, data=form)

    assert (done.status_code, done.headers["location"]) == (303, form["back"])
    page = site.get(form["back"], headers=ANNA).text
    assert "1 job cancelled" in page
    assert jobs_of(page) == [first]


def test_a_page_that_is_open_hears_of_changes(site: httpx.Client) -> None:
    first, _ = jobs_of(site.get("/admin/queue/jobs", headers=ANNA).text)
    form = {"form": site.cookies[FORM], "id": first}
    site.post("/admin/queue/act/cancel", headers=ANNA, data=form)
    with site.stream("GET", "/admin/queue/live", headers=ANNA) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        site.post("/admin/queue/act/run-again", headers=ANNA, data=form)
        assert next(line for line in lines if line) == "data: changed"
