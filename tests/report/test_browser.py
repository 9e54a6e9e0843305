# SPDX-License-Identifier: Apache-2.0
"""The page in a real Chromium: `make test-all` brings one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgecxr.report.inputs import Inputs
from edgecxr.report.page import html
from tests.report.results import HOSTILE, drawn, evaluated, results, wanted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Debian's chromium")
    with playwright.sync_playwright() as started:
        # As root, which is usual in a container, Chromium has no sandbox.
        launched = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


def test_each_of_two_bundles_has_its_own_map_and_places(browser: object, tmp_path: Path) -> None:
    labels = ("a", "b", "c")
    cards = [results(tmp_path / name, labels).cards[0] for name in ("one", "two")]
    about = [*wanted(drawn(labels)).about, *wanted(drawn(labels, 30)).about]
    path, said = tmp_path / "r.html", []
    path.write_text(html(Inputs(cards=cards), replace(wanted(), about=about)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 800})  # type: ignore[attr-defined]
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    page.locator('nav a[href="#m2-explorer"]').click()
    second = page.locator("#m2-explorer")
    assert second.is_visible()
    top = second.evaluate("section => section.getBoundingClientRect().top")
    assert 0 <= top < 400
    second.locator(".cross").first.focus()
    assert second.locator("aside img").evaluate("image => image.naturalWidth") == 96
    assert page.locator("#explorer aside img").is_hidden()
    assert said == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_opens_and_shows_its_figures(
    browser: object, tmp_path: Path, scheme: str, width: int
) -> None:
    inputs, path, said = results(tmp_path / "bundle"), tmp_path / "r.html", []
    path.write_text(html(inputs, wanted(drawn(HOSTILE))), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[attr-defined]
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    evaluation = evaluated(inputs)
    for name, figures in (("float32", evaluation.float32), ("int8", evaluation.int8)):
        shown = page.locator(f'[data-figure="{name}.accuracy"]').inner_text()
        assert shown == f"{100 * figures.accuracy:.1f} %"
        cells = page.locator(f'[data-figure^="{name}.confusion."]').all_inner_texts()
        assert [int(cell) for cell in cells] == [n for row in figures.confusion for n in row]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".cross").first.focus()
    assert page.locator(".explorer aside img").evaluate("image => image.naturalWidth") == 96
    assert "<b>" in page.locator(".explorer aside p").inner_text()
    ink = "getComputedStyle(document.querySelector('.plot svg text')).fill"
    bright = sum(map(int, page.evaluate(ink).removeprefix("rgb(").removesuffix(")").split(",")))
    assert (bright > 400) == (scheme == "dark")
    assert said == []
    page.close()
