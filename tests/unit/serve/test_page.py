"""The page of the service in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("msgspec", reason="needs the serve extra")

from llm_i2i.serve.app import make_app
from llm_i2i.serve.publications import Publications
from tests.unit.serve.conftest import publish_in, running

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    publish_in(folder)
    with running(make_app(Publications(folder, "prod"))) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs the browser extra")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium on the PATH (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=120_000)
        yield browser
        browser.close()


def test_an_item_is_found_and_its_lists_are_shown(chromium: Any, address: str) -> None:
    problems: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((address, "data:")) else problems.append(r.url))  # fmt: skip
    page.goto(address)
    page.get_by_text("40 items,").wait_for()

    page.get_by_label("Item id, or words of its title").fill("drum 17")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="number 17").click()
    page.get_by_role("heading", name="number 17").wait_for()
    assert page.evaluate("document.activeElement.id") == "item-title"
    assert not page.locator("main b").count()  # a title is text
    augmented = page.get_by_role("region", name="With synthetic interactions").locator("tbody tr")
    baseline = page.get_by_role("region", name="Baseline").locator("tbody tr")
    assert augmented.count() > baseline.count() > 0
    response = context.request.get(f"{address}/related/it 17 é?k=20").json()["related"]
    first = augmented.first.locator("td").all_inner_texts()
    assert first[0] == "1"
    assert response[0]["title"] in first[1]
    assert float(first[2]) == pytest.approx(response[0]["score"], rel=1e-3)
    tails = sum(item["is_long_tail"] for item in response)
    assert augmented.get_by_text("long tail").count() == tails > 0
    assert augmented.get_by_text("only here").count() > 0

    page.go_back()
    page.get_by_role("link", name="number 17").wait_for()
    page.goto(f"{address}/?item=it 17 %C3%A9")
    page.get_by_role("heading", name="number 17").wait_for()
    assert not problems
    page.get_by_label("Item id, or words of its title").fill("nobody has this")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("No item has “nobody has this”.").wait_for()
    page.goto(f"{address}/?item=nobody")
    page.get_by_text("the index does not know this item.").wait_for()
    context.close()


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [("drum", "More than 20 items; the first 20:", 20), ("number 17", "1 item", 1)],
)
def test_what_is_not_shown_is_said(
    chromium: Any, address: str, words: str, status: str, shown: int
) -> None:
    context = chromium.new_context(viewport={"width": 400, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/?q={words}")
    page.get_by_text(status, exact=True).wait_for()
    assert page.locator("#found li").count() == shown
    page.goto(f"{address}/?item=it 17 %C3%A9")
    page.get_by_role("heading", name="number 17").wait_for()
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) == 0
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colour_scheme(chromium: Any, address: str, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    colours = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")  # fmt: skip
    text, ground = (sum(int(n) for n in c.strip("rgb()").split(",")) for c in colours)
    assert (text < ground) == (scheme == "light")
    context.close()
