# SPDX-License-Identifier: Apache-2.0
"""The images that are built into the firmware, on the firmware as a program of this computer."""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from pathlib import Path

import numpy as np

from edgecxr.cli.demo_images import demo_pixels
from edgecxr.core.interpreter import open_interpreter
from edgecxr.deploy.build import DEMO, PORTS, Image
from tests.firmware.conftest import ROOT

LABELS = ["COVID-19", "Normal", "Virus"]


def said_to(program: Path, commands: bytes) -> list[str]:
    """All lines after those of the boot."""
    done = subprocess.run([program], input=commands, capture_output=True, timeout=30, check=True)
    return done.stdout.decode("ascii").split("\r\n")[5:-1]


def test_the_board_has_the_pixels_and_the_scores_of_this_host(host_image: Image) -> None:
    *lines, check, ready = said_to(host_image.path, b"demo%")
    assert ready == "m-ready"
    covered = "demo" + "".join(f"{line}\r\n" for line in lines)
    assert check == f"m-check-[{zlib.crc32(covered.encode()):08X}]"
    pixels = demo_pixels(96, 96)
    interpreter = open_interpreter(ROOT / "models" / "cxr3" / "int8.tflite", kernels="reference")
    found = [json.loads(re.fullmatch(r"m-demo-\[(.*)\]", line)[1]) for line in lines]
    assert [line["image"] for line in found] == list(pixels)
    assert all(name.startswith("synthetic_") for name in pixels)
    for line, picture in zip(found, pixels.values(), strict=True):
        scores = interpreter.raw(picture[np.newaxis])[0]
        assert line["crc32"] == f"{zlib.crc32(picture.tobytes()):08X}"
        assert line["scores"] == ",".join(map(str, scores.tolist()))
        assert line["label"] == LABELS[int(scores.argmax())]
        assert abs(line["score"] - (int(scores.max()) + 128) / 256) < 1e-6
        assert line["us"] > 0


def test_its_results_are_the_last_ones(host_image: Image) -> None:
    said = said_to(host_image.path, b"demo%results%")
    last = json.loads(said[2][len("m-demo-[") : -1])
    assert f"m-scores-[{last['scores']}]" in said
    assert f"m-image-[{last['crc32']}]" in said


def test_a_board_without_room_says_so(host_image: Image, tmp_path: Path) -> None:
    sources = host_image.path.parent / "src"
    program = tmp_path / "small"
    command = ["cc", "-std=c99", "-O1", "-DECX_DEMO_IMAGES=0", f"-I{sources}"]
    files = [*sources.glob("*.c"), PORTS / "host" / "host.c"]
    assert sources / DEMO in files
    subprocess.run([*command, *files, "-lm", "-o", program], check=True)
    info, _, ready, refusal, _, again = said_to(program, b"info%demo%")
    assert json.loads(info[len("m-info-[") : -1])["demo_images"] is None
    assert refusal == "e-[This board has no room for demo images]"
    assert ready == again == "m-ready"


def test_a_model_without_a_result_is_an_error(host_image: Image, tmp_path: Path) -> None:
    sources = host_image.path.parent / "src"
    program = tmp_path / "broken"
    files = [*sources.glob("ecx_*.c"), PORTS / "host" / "host.c", ROOT / "tests/firmware/broken.c"]
    files.remove(sources / "ecx_model.c")
    command = ["cc", "-std=c99", "-g", "-fsanitize=address,undefined", f"-I{sources}"]
    subprocess.run([*command, *files, "-o", program], check=True)
    image = bytes(96 * 96)
    load = f"db raw {len(image)} {zlib.crc32(image):08X}%".encode() + image
    said = said_to(program, load + b"infer 1 1%results%demo%")
    assert said.count("e-[The model gave no result]") == 2
    assert "e-[No results yet]" in said
    assert not [line for line in said if line.startswith(("m-results", "m-demo"))]
