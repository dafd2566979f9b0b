"""dbt's own documentation site opens on our artifacts."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

pytestmark = [pytest.mark.dbt, pytest.mark.browser]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    docs = pytest.importorskip("dbt.task.docs", reason="needs dbt: make test-dbt")
    shop = ShopProject(tmp_path_factory.mktemp("shop"))
    assert Project.load(shop.dir).build().success
    shutil.copy(Path(docs.__file__).with_name("index.html"), shop.dir / "target")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(shop.dir / "target"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium on the PATH (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=120_000)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        page.route(
            "**", lambda r: r.continue_() if r.request.url.startswith(address) else r.abort()
        )
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        yield page
        browser.close()


def test_a_model_its_columns_and_what_it_reads(page: Any, address: str) -> None:
    page.goto(f"{address}/index.html#!/model/model.shop.kept")
    page.get_by_role("heading", name="kept").first.wait_for()
    text = page.locator("body").inner_text()
    assert "score\n" in text
    assert "Depends On" in text
    assert "scored" in text
    assert page.problems == []


def test_a_source_and_the_search(page: Any, address: str) -> None:
    page.goto(f"{address}/index.html#!/source/source.shop.log.events")
    page.get_by_text("events", exact=True).first.wait_for()
    assert "Referenced By" in page.locator("body").inner_text()
    page.goto(f"{address}/index.html#!/overview")
    page.get_by_placeholder("Search for models...").fill("scored")
    page.get_by_text("search results").first.wait_for()
    assert page.problems == []


def test_the_lineage_graph_is_drawn(page: Any, address: str) -> None:
    page.goto(f"{address}/index.html#!/model/model.shop.kept")
    page.get_by_role("heading", name="kept").first.wait_for()
    page.locator("[ng-click='onLauncherClick()']").click()
    page.locator("canvas").last.wait_for()
    assert page.problems == []
