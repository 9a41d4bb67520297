"""The dashboard in a real Chromium, beside a real worker: every screen, in every way to use it.

Pictures of the screens are kept in the folder that LITEQ_PICTURES names, if it does.
"""

import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from liteq.web.layout import SCREENS
from tests.e2e.project import Project, wait_for

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MANY = 200_000 if os.environ.get("CI") else 2_000
PICTURES = os.environ.get("LITEQ_PICTURES")
SECONDS = 20

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium with its driver"),
    pytest.mark.timeout(180),
]

TASKS = """
import time
from liteq import LiteQ, chord

app = LiteQ("shop", broker="sqlite:///project.db")
app.conf.beat_schedule = {"nightly": {"task": "project.add", "schedule": 3600.0, "args": (1, 2)}}

@app.task
def add(x, y):
    return x + y

@app.task
def total(xs):
    return sum(xs)

@app.task
def fail(text):
    raise ValueError(text)
"""

FILL = f"""
from project import *
add.delay_many([(n, 1) for n in range({MANY})])
"""
SEND = """
from project import *
for n in range(3):
    fail.apply_async((f"no money {n}",), priority=9)
add.apply_async((20, 22), priority=9, headers={"customer": "17"})
chord([add.s(n, n).set(queue="nobody") for n in range(3)], total.s()).apply_async()
app.send_task("gone", priority=9)
"""


class Site:
    """The dashboard in one browser window."""

    def __init__(self, browser: webdriver.Chrome, link: str, project: Project) -> None:
        self.browser = browser
        self.project = project
        self.base = link.partition("/?")[0]
        browser.get(link)

    def open(self, path: str) -> None:
        self.browser.get(self.base + path)

    def rows(self, path: str) -> list[WebElement]:
        """Open a page; return the rows of its list."""
        self.open(path)
        return self.all("tbody tr")

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "main") -> str:
        return self.find(selector).text

    def until(self, look: Any) -> Any:
        """Return what `look` returns, once that is true; elements may be replaced meanwhile."""
        from selenium.common.exceptions import (
            NoSuchElementException,
            StaleElementReferenceException,
        )

        ignored = (NoSuchElementException, StaleElementReferenceException)
        return WebDriverWait(self.browser, SECONDS, 0.05, ignored).until(lambda _: look())

    def until_text(self, text: str, selector: str = "main") -> None:
        self.until(lambda: text in self.text(selector))

    def press(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def emulate(self, *, width: int = 1280, scheme: str = "light") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def picture(self, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(PICTURES, f"{name}.png")))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Yield a project with many tasks, a worker at work, and a dashboard."""
    project = Project(tmp_path_factory.mktemp("web"), TASKS)
    project.python(FILL)
    project.python(SEND)
    with project.worker("-c", "2"):
        yield project


def new_browser(*, script: bool = True) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(each)
    if not script:
        blocked = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", blocked)
    return webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))


@pytest.fixture(scope="module")
def dashboard(project: Project) -> Iterator[Any]:
    with project.program("-m", "liteq", "web", "-A", "project", "--port", "0") as program:
        yield program


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def site(request: pytest.FixtureRequest, project: Project, dashboard: Any) -> Iterator[Site]:
    yield from visit(project, dashboard, script=request.param)


@pytest.fixture
def live_site(project: Project, dashboard: Any) -> Iterator[Site]:
    yield from visit(project, dashboard, script=True)


def visit(project: Project, dashboard: Any, *, script: bool) -> Iterator[Site]:
    dashboard.wait_for_line("key=")
    link = re.findall(r"http://\S+key=\S+", dashboard.output)[-1]
    used = dashboard.output.count("key=")
    browser = new_browser(script=script)
    try:
        site = Site(browser, link, project)
        site.until_text("Overview", "h1")
        wait_for(lambda: dashboard.output.count("key=") > used, "the next link")
        yield site
        log: Any = browser.get_log("browser")  # type: ignore[no-untyped-call]
        errors = [each for each in log if each["level"] == "SEVERE"]
        assert not errors
    finally:
        browser.quit()


def test_every_screen_is_reached_from_the_navigation(site: Site) -> None:
    for path, name in SCREENS.items():
        site.find(f'nav a[href="{path}"]').click()
        site.until(lambda name=name: site.text("h1") == name)
        assert site.find('nav a[aria-current="page"]').text == name


def test_a_failed_job_is_found_explained_and_tried_again(site: Site) -> None:
    site.until(lambda: len(site.rows("/jobs?state=failed")) >= 3)
    site.find("input[type=search]").send_keys("money 1", Keys.ENTER)
    site.until(lambda: len(site.all("tbody tr")) == 1)
    site.find("tbody th a").click()
    site.until_text("it failed: ValueError('no money 1')")
    assert "Traceback (most recent call last)" in site.text("pre")
    site.find("form[action='/act/retry'] button").click()
    site.until_text("1 job ready again", ".said")


def test_many_jobs_are_cancelled_after_a_question(site: Site) -> None:
    site.project.python(
        "from project import *\nfor n in range(5): add.apply_async((n, 0), queue='parked')"
    )
    site.open("/jobs?queue=parked&state=ready")
    site.until(lambda: len(site.all("tbody tr")) == 5)
    for box in site.all("tbody input[name=id]")[:2]:
        box.click()
    site.find("button[formaction='/act/cancel']").click()
    site.until_text("2 jobs cancelled", ".said")
    site.open("/jobs?queue=parked&state=ready")
    site.find("input[name=all]").click()
    site.find("button[formaction='/act/cancel']").click()
    site.until_text("Are you sure?", "h1")
    site.find("button.danger").click()
    site.until_text("3 jobs cancelled", ".said")


def test_a_workflow_is_followed_from_the_picture_to_the_job(site: Site) -> None:
    site.open("/workflows")
    site.find("tbody th a").click()
    site.until_text("0 of 4 tasks have ended.")
    assert len(site.all("svg.flow rect")) == 4
    site.picture("workflow")
    site.find("svg.flow a").click()
    site.until_text("no worker serves the queue 'nobody'")


def test_dead_jobs_are_retried_as_a_group(site: Site) -> None:
    site.until(lambda: site.rows("/dead"))
    assert "gone" in site.text("tbody")
    site.find("form[action='/act/retry-dead'] button").click()
    site.until_text("1 job ready again", ".said")


def test_a_schedule_is_run_paused_and_resumed(site: Site) -> None:
    site.open("/schedules")
    site.until_text("every hour")
    site.find("form[action='/act/run-schedule'] button").click()
    site.until_text("nightly was sent as", ".said")
    site.find("form[action='/act/pause-schedule'] button").click()
    site.until_text("nightly paused", ".said")
    site.find("form[action='/act/resume-schedule'] button").click()
    site.until_text("nightly resumed", ".said")


def test_a_page_follows_the_store_and_keeps_what_a_visitor_does(live_site: Site) -> None:
    site = live_site
    site.open("/jobs?queue=live")
    site.until_text("No such jobs.")
    site.project.python("from project import *; add.apply_async((1, 1), queue='live')")
    site.until(lambda: len(site.all("tbody tr")) == 1)
    box = site.find("tbody input[name=id]")
    box.click()
    site.project.python("from project import *; add.apply_async((2, 2), queue='live')")
    site.find("input[type=search]").send_keys("typing")
    assert box.is_selected()
    assert site.find("input[type=search]").get_property("value") == "typing"
    site.find("input[type=search]").clear()
    box.click()
    site.until(lambda: len(site.all("tbody tr")) == 2)


def test_all_is_done_by_keyboard(live_site: Site) -> None:
    site = live_site
    site.project.python("from project import *; add.apply_async((1, 1), queue='keys')")
    site.open("/")
    site.press(Keys.TAB)
    assert site.focused().text == "Skip to the content"
    walked = []
    while site.focused().text != "Jobs":
        site.press(Keys.TAB)
        walked.append(site.focused().text)
    assert walked[-2:] == ["Overview", "Jobs"]
    site.press(Keys.ENTER)
    site.until(lambda: site.text("h1") == "Jobs")
    while site.focused().get_attribute("id") != "q":
        site.press(Keys.TAB)
    site.press("queue:keys", Keys.ENTER)
    site.until(lambda: len(site.all("tbody tr")) == 1)
    while site.focused().get_attribute("name") != "id":
        site.press(Keys.TAB)
    site.press(Keys.SPACE)
    while site.focused().text != "Cancel":
        site.press(Keys.TAB)
    outline = site.browser.execute_script(
        "return getComputedStyle(document.activeElement).outlineStyle"
    )
    assert outline != "none"
    site.press(Keys.ENTER)
    site.until_text("1 job cancelled", ".said")


def pages(site: Site) -> dict[str, str]:
    failed = re.findall(r'/job\?id=([^"]+)"', source(site, "/jobs?state=failed"))[0]
    waiting = re.findall(r'/workflow\?id=([^"]+)"', source(site, "/workflows"))[0]
    more = {f"/job?id={failed}": "Job", f"/workflow?id={waiting}": "Workflow"}
    return {**SCREENS, **more}


def source(site: Site, path: str) -> str:
    site.open(path)
    return site.browser.page_source


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_shows_all_without_scrolling_sideways(live_site: Site, scheme: str) -> None:
    site = live_site
    for path, name in pages(site).items():
        site.emulate(width=360, scheme=scheme)
        site.open(path)
        wide = site.browser.execute_script("return document.documentElement.scrollWidth")
        site.picture(f"{name}-narrow-{scheme}")
        assert wide <= 360, f"{path} is {wide} px wide"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_checker_of_accessibility_finds_nothing_serious(live_site: Site, scheme: str) -> None:
    """Axe: https://github.com/dequelabs/axe-core."""
    site = live_site
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    axe = Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    for path, name in pages(site).items():
        site.emulate(scheme=scheme)
        site.open(path)
        site.picture(f"{name}-{scheme}")
        site.browser.execute_script(axe)
        run = "const done = arguments[0]; axe.run().then(found => done(found.violations));"
        found = site.browser.execute_async_script(run)
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        told = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in serious]
        assert not told, f"{path}: {told}"
