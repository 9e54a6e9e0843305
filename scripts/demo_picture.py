# SPDX-License-Identifier: Apache-2.0
"""docs/images/demo.png: the page of `edgecxr demo` with a synthetic sample; `make pictures`."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ("demo", "--model", "models/cxr3", "--device", "emulator:host", "--port", "0")
PATIENCE_MS = 300_000


def take(address: str, picture: Path) -> None:
    """Choose a sample and wait for the host, the board and Grad-CAM."""
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1120, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        for sample in ("normal", "focal lobar"):  # the second without what loading costs
            page.get_by_role("button", name=sample).click()
            page.locator("#name", has_text=sample.replace(" ", "_")).wait_for()
            page.locator(".card", has_text="emulator:host").locator(".verdict").wait_for()
            page.locator("#heat-figure:not([hidden])").wait_for()
        page.screenshot(path=picture, full_page=True)
        browser.close()


if __name__ == "__main__":
    server = subprocess.Popen(
        [sys.executable, "-m", "edgecxr", *COMMAND], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        take(server.stdout.readline().strip(), ROOT / "docs" / "images" / "demo.png")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
