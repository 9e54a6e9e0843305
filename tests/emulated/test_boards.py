# SPDX-License-Identifier: Apache-2.0
"""Every bare-metal board boots in QEMU, says who it is, and gives the reference's bits."""

from __future__ import annotations

import json
import re
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecxr.cli.demo_images import demo_pixels
from edgecxr.core.board import boards, find_board
from edgecxr.core.bundle import Bundle
from edgecxr.core.firmware import PORTS
from edgecxr.deploy.build import Image, build
from edgecxr.deploy.emulate import emulated
from edgecxr.errors import FlashError
from tests.emulated.conftest import CXR3
from tests.emulated.test_dsp_bits import pictures
from tests.export.compiled.reference import Reference

pytestmark = pytest.mark.heavy

BARE_METAL = [board.id for board in boards().values() if board.build_system == "baremetal"]
IMAGES = 3
SECONDS = 30.0
# The stack at its deepest. The micro:bit has 4 KiB left for it.
STACK_LIMIT = 1024


class Line:
    """One serial line: what is said, and what is answered up to ``m-ready``."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("socket://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self.file = self.socket.makefile("rb")

    def answer(self) -> list[str]:
        lines = []
        while (line := self.file.readline()) != b"m-ready\r\n":
            assert line.endswith(b"\r\n"), line
            lines.append(line.decode().removesuffix("\r\n"))
        return lines

    def ask(self, command: str) -> list[str]:
        self.socket.sendall(f"{command}%".encode())
        return self.answer()

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("info")[0][len("m-info-[") : -1])
        return found

    def load_raw(self, image: bytes) -> list[str]:
        self.socket.sendall(f"db raw {len(image)} {zlib.crc32(image):08x}%".encode())
        assert self.file.readline() == b"m-[Expecting %d bytes]\r\n" % len(image)
        self.socket.sendall(image)
        return self.answer()

    def load_hex(self, image: bytes) -> list[str]:
        answer = self.ask(f"db load {len(image)}")
        for at in range(0, len(image), 31):
            answer = self.ask(f"db {image[at : at + 31].hex()}")
        return answer

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture(scope="module", params=BARE_METAL)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("firmware")
    return build(Bundle.open(CXR3.parent), request.param, folder=folder)


@pytest.fixture
def line(image: Image) -> Iterator[Line]:
    with emulated(image) as url:
        opened = Line(url)
        yield opened
        opened.close()


def test_it_boots_and_says_who_it_is(line: Line, image: Image) -> None:
    boot = line.answer()
    assert "not a medical device" in boot[0]
    assert boot[1] == "m-timestamp-mode-performance"
    assert boot[-1] == "m-init-done"
    assert line.ask("name") == ["m-name-dut-[edgecxr]"]
    info = line.info()
    assert info["board"] == image.board
    assert info["sha256"] == image.model_sha256
    assert info["clock"] == "instructions"
    assert info["flash_bytes"] == image.flash_bytes
    assert info["static_ram_bytes"] == image.ram_bytes


def test_it_gives_the_bits_of_the_reference(line: Line, cxr3: bytes, reference: Reference) -> None:
    images = pictures(IMAGES)
    values = (images.astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
    expected = reference.run("tflm", cxr3, values)
    line.answer()
    info = line.info()
    found = []
    for picture in images:
        data = picture.tobytes()
        loaded = line.load_raw(data) if info["db_raw"] else line.load_hex(data)
        assert loaded == ["m-load-done"]
        assert line.ask("db crc")[0] == f"m-crc32-[{zlib.crc32(data):08X}]"
        said = "\n".join(line.ask("infer 1 0"))
        found.append([int(score) for score in re.findall(r"-scores-\[(.*)\]", said)[0].split(",")])
    np.testing.assert_array_equal(found, expected)
    board = find_board(info["board"])
    used = line.info()["stack_bytes"]
    assert used <= STACK_LIMIT
    assert info["static_ram_bytes"] + used < board.ram_bytes


def test_the_demo_is_what_the_host_computes(
    line: Line, image: Image, cxr3: bytes, reference: Reference
) -> None:
    line.answer()
    shown = line.info()["demo_images"]
    *lines, check = line.ask("demo")
    found = [json.loads(said[len("m-demo-[") : -1]) for said in lines]
    pixels = list(demo_pixels(96, 96).values())[: len(found)]
    values = (np.stack(pixels).astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
    expected = reference.run("tflm", cxr3, values)
    assert [[int(s) for s in one["scores"].split(",")] for one in found] == expected.tolist()
    assert check.startswith("m-check-[")
    # As many as the flash has room for; each takes 1,152 bytes.
    room = find_board(image.board).flash_bytes - (image.flash_bytes or 0)
    assert shown == len(found)
    assert 1 <= shown <= 3
    assert shown == 3 or room < 1200


def test_an_inference_is_counted_exactly(line: Line) -> None:
    line.answer()
    data = pictures(1).tobytes()
    raw = line.info()["db_raw"]
    counts = []
    for _ in range(2):
        line.load_raw(data) if raw else line.load_hex(data)
        said = "\n".join(line.ask("infer 1 0"))
        start, end = (int(lap) for lap in re.findall(r"m-lap-us-(\d+)", said))
        counts.append(end - start)
    # Two reads of a counter, each to a tick; a board that keeps no image reads it twice per row.
    assert abs(counts[0] - counts[1]) <= (4 if raw else 200)
    assert 7_000_000 < counts[0] < (9_000_000 if raw else 100_000_000)


@pytest.mark.parametrize("board", BARE_METAL)
def test_linker_scripts_have_the_memory_of_the_table(board: str) -> None:
    script = (PORTS / "baremetal" / f"{board}.ld").read_text()
    units = {"K": 1024, "M": 1024 * 1024}
    flash, ram = (int(n) * units[u] for n, u in re.findall(r"LENGTH = (\d+)([KM])", script))
    assert (flash, ram) == (find_board(board).flash_bytes, find_board(board).ram_bytes)


def test_a_model_that_does_not_fit_is_refused_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(
        FlashError, match=r"needs at least [\d,]+ bytes more flash than the 262,144 of m"
    ):
        build(Bundle.open(CXR3.parent), "microbit", precision="float32", folder=tmp_path)
