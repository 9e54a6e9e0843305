# SPDX-License-Identifier: Apache-2.0
"""The page in a real headless Chromium, with an emulated board."""

from __future__ import annotations

import base64
import io
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgecxr.core.process import module_command, module_environment
from tests.dicoms import MARK, write_dicom

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
DROP = """([data, name]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name));
    document.getElementById("drop").dispatchEvent(
        new DragEvent("drop", {dataTransfer: dropped, bubbles: true, cancelable: true}));
}"""
PATIENCE_MS = 120_000


@pytest.fixture
def address(tiny_bundle: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    device = getattr(request, "param", "emulator:host")
    options = ["--model", str(tiny_bundle), "--device", device, "--port", "0"]
    server = subprocess.Popen(
        module_command("edgecxr", "demo", *options),
        env=module_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    server.send_signal(signal.SIGINT)
    _, said = server.communicate(timeout=60)
    assert MARK not in said
    assert "Traceback" not in said


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        # Root has no sandbox; the page is our own.
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width), 99, np.uint8)).save(file, "PNG")
    return file.getvalue()


def opened(browser: Any, address: str, **options: Any) -> tuple[Any, list[str]]:
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on("request", lambda asked: wrong.append(asked.url) if not ours(asked.url) else None)

    def ours(url: str) -> bool:
        return url.startswith((address, "data:"))

    page.goto(address)
    page.get_by_role("button", name="normal").wait_for()
    return page, wrong


def drop(page: Any, data: bytes, name: str) -> None:
    page.evaluate(DROP, [base64.b64encode(data).decode(), name])


def board(page: Any, name: str = "emulator:host") -> Any:
    return page.locator(".card", has_text=name).locator(".verdict")


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm")
@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize("address", ["emulator:stm32f405"], indirect=True)
def test_an_emulated_chip_shows_its_instructions(browser: Any, address: str) -> None:
    page, wrong = opened(browser, address)
    page.get_by_role("button", name="normal").click()
    board(page, "emulator:stm32f405").wait_for()
    card = page.locator(".card", has_text="emulator:stm32f405")
    assert card.get_by_text("instructions").count() == 1
    assert card.get_by_text("this computer agrees, bit for bit").count() == 1
    assert wrong == []


def test_a_dropped_x_ray_is_seen_by_host_and_board(browser: Any, address: str) -> None:
    page, wrong = opened(browser, address)
    values = np.linspace(0, 4095, 96 * 96).reshape(96, 96).astype("<u2")
    drop(page, write_dicom(values), "x.dcm")
    board(page).wait_for()
    assert page.locator(".card .verdict").count() == 3
    assert page.get_by_text("this computer agrees, bit for bit").count() == 1
    assert page.locator("#seen").evaluate("image => image.naturalWidth") == 96
    assert page.get_by_text("Not a medical device").is_visible()
    assert MARK not in page.content()
    assert wrong == []


def test_bad_and_large_files_and_two_users(browser: Any, address: str) -> None:
    page, _ = opened(browser, address)
    other, wrong = opened(browser, address)
    drop(page, b"no image at all", "x.png")
    page.locator(".message.bad", has_text="not a usable image").wait_for()
    drop(page, png(10000, 5000), "large.png")
    drop(other, png(96, 96), "small.png")
    board(other).wait_for()
    board(page).wait_for()
    assert page.locator("#name").inner_text() == "large.png"
    assert other.locator("#name").inner_text() == "small.png"
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_alone_at_400_pixels(browser: Any, address: str, scheme: str) -> None:
    page, wrong = opened(
        browser, address, viewport={"width": 400, "height": 800}, color_scheme=scheme
    )
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || 'sample'"))
    assert reached == ["bundle", "device", "file", "sample"]
    page.keyboard.press("Enter")
    board(page).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.keyboard.press("End")
    assert page.get_by_text("Not a medical device").is_visible()
    assert wrong == []
