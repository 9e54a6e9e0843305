# SPDX-License-Identifier: Apache-2.0
"""The wire, spoken with the firmware as a program of this computer."""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.core.interpreter import open_interpreter
from edgecxr.deploy.build import Image
from tests.firmware.conftest import ROOT

pytestmark = pytest.mark.heavy

SIZE = 96 * 96
LOAD = b"db load %d%%" % SIZE
PICTURE = np.random.default_rng(3).integers(0, 256, SIZE, dtype=np.uint8).tobytes()
BOOT = 5


def raw(picture: bytes = PICTURE, crc: int | None = None) -> bytes:
    found = zlib.crc32(picture) if crc is None else crc
    return b"db raw %d %08x%%" % (SIZE, found) + picture


def hexadecimal(picture: bytes = PICTURE) -> bytes:
    parts = (picture[at : at + 31].hex().encode() for at in range(0, len(picture), 31))
    return LOAD + b"".join(b"db %s%%" % part for part in parts)


@pytest.fixture(scope="module")
def say(host_image: Image) -> Callable[[bytes], list[str]]:
    def run(said: bytes) -> list[str]:
        """All lines after those of the boot."""
        done = subprocess.run(
            [str(host_image.path)], input=said, capture_output=True, timeout=30, check=True
        )
        lines = done.stdout.decode("ascii").split("\r\n")
        assert lines.pop() == ""
        assert lines[BOOT - 1] == "m-ready"
        return lines[BOOT:]

    return run


def unchecked(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("m-check-")]


Say = Callable[[bytes], list[str]]


def test_name_and_profile(say: Say) -> None:
    assert say(b"name%\r\n profile %") == [
        "m-name-dut-[edgecxr]",
        "m-ready",
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        "m-model-[cxr3]",
        "m-ready",
    ]


def test_an_empty_command_is_answered_by_ready_alone(say: Say) -> None:
    assert say(b"%\r\n%  %") == ["m-ready"] * 3


def test_info_is_json_and_checked(say: Say, host_image: Image) -> None:
    line, check, ready = say(b"info%")
    info = json.loads(line[len("m-info-[") : -1])
    assert info["sha256"] == host_image.model_sha256
    assert info["input"] == [96, 96, 1]
    assert info["flash_bytes"] is None
    covered = f"info{line}\r\n".encode()
    assert check == f"m-check-[{zlib.crc32(covered):08X}]"
    assert ready == "m-ready"


@pytest.mark.parametrize("load", [raw(), hexadecimal()], ids=["raw", "hex"])
def test_an_inference_gives_the_bits_of_the_reference(say: Say, load: bytes) -> None:
    said = say(load + b"infer 2 1%results%")
    picture = np.frombuffer(PICTURE, np.uint8).reshape(1, 96, 96)
    model = ROOT / "models" / "cxr3" / "int8.tflite"
    expected = open_interpreter(model, kernels="reference").raw(picture)[0]
    scores = "m-scores-[" + ",".join(map(str, expected.tolist())) + "]"
    results = "m-results-[" + ",".join(f"{(s + 128) / 256:.6f}" for s in expected.tolist()) + "]"
    image = f"m-image-[{zlib.crc32(PICTURE):08X}]"
    at = said.index("m-warmup-start-1")
    laps = said[at + 3 : at + 5]
    assert [line[:9] for line in laps] == ["m-lap-us-"] * 2
    decisions = [line for line in said[at:] if line.startswith("m-decision-")]
    assert len(decisions) == 2
    assert len(set(decisions)) == 1
    assert [line for line in unchecked(said[at:]) if line not in decisions] == [
        "m-warmup-start-1",
        "m-warmup-done",
        "m-infer-start-2",
        *laps,
        "m-infer-done",
        results,
        scores,
        image,
        "m-ready",
        results,
        scores,
        image,
        "m-ready",
    ]


def test_the_image_is_printed_as_it_came(say: Say) -> None:
    said = say(raw() + b"db print%")
    assert bytes.fromhex("".join(re.findall(r"^m-\[([0-9A-F]+)\]$", "\n".join(said), re.M))) == (
        PICTURE
    )


NO_LOAD = "e-[No load in progress; start with db load N%]"
PAIRS = "e-[Expected pairs of hexadecimal digits]"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # The reference parser writes beyond its buffer in the first three.
        (hexadecimal() + b"db 00%", [NO_LOAD, "m-ready"]),
        (b"db 0011%", [NO_LOAD, "m-ready"]),
        (b"%", ["m-ready"]),
        (hexadecimal(PICTURE[:-1]) + b"db 0011%", ["e-[More bytes than the load has]", "m-ready"]),
        (LOAD + b"db 001%", [PAIRS, "m-ready"]),
        (LOAD + b"db 0g%", [PAIRS, "m-ready"]),
        (LOAD + b"db%", [PAIRS, "m-ready"]),
        (LOAD + b"db 0g%db 00%", [PAIRS, "m-ready", NO_LOAD, "m-ready"]),
        (b"db load 9217%", ["e-[Expected a load of 9216 bytes, found 9217]", "m-ready"]),
        (b"db load 4294976512%", ["e-[Expected db load N%]", "m-ready"]),
        (b"db load -1%", ["e-[Expected db load N%]", "m-ready"]),
        (b"db raw 9216 1234567%", ["e-[Expected db raw N CRC32%]", "m-ready"]),
        (b"db raw 9216 123456789%", ["e-[Expected db raw N CRC32%]", "m-ready"]),
        (b"infer 1 0%", ["e-[No image loaded]", "m-ready"]),
        (b"infer 10001 0%", ["e-[Expected 1 to 10000 inferences and 0 to 10000 to warm up]"]),
        (b"infer 1 x%", ["e-[Expected infer N W%]", "m-ready"]),
        (b"results%", ["e-[No results yet]", "m-ready"]),
        (b"db crc%", ["e-[No image loaded]", "m-ready"]),
        (b"x" * 81 + b"%name%", ["e-[Command too long]", "m-ready", "m-name-dut-[edgecxr]"]),
        (b"x" * 80 + b"%", ["e-[Unknown command]", "m-ready"]),
        (b"name\0%", ["e-[Unknown command]", "m-ready"]),
        (b"names%", ["e-[Unknown command]", "m-ready"]),
    ],
    ids=lambda value: repr(value[-24:]) if isinstance(value, bytes) else "",
)
def test_what_is_wrong_is_said_and_the_line_goes_on(
    say: Say, said: bytes, expected: list[str]
) -> None:
    answer = unchecked(say(said + b"name%"))
    assert answer[-2:] == ["m-name-dut-[edgecxr]", "m-ready"]
    assert any(answer[at : at + len(expected)] == expected for at in range(len(answer)))


def test_a_wrong_crc_drops_the_load(say: Say) -> None:
    said = unchecked(say(raw(crc=0) + b"infer 1 0%"))
    assert said == [
        "m-[Expecting 9216 bytes]",
        f"e-[CRC mismatch, expected 00000000, found {zlib.crc32(PICTURE):08X}]",
        "m-ready",
        "e-[No image loaded]",
        "m-ready",
    ]


def test_a_raw_load_that_stops_times_out(host_image: Image) -> None:
    with subprocess.Popen(
        [str(host_image.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(raw()[:-1])
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(BOOT + 3)]
        assert lines[BOOT:] == [
            b"m-[Expecting 9216 bytes]\r\n",
            b"e-[Load timed out]\r\n",
            b"m-ready\r\n",
        ]
        process.stdin.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=120),
            st.sampled_from([b"%", b"db load 9216%", b"db 00%", b"infer 1 0%", b"info%", b"db "]),
        ),
        max_size=12,
    )
)
def test_after_any_bytes_the_line_goes_on(say: Say, soup: list[bytes]) -> None:
    answer = say(b"".join(soup) + b"%%name%")
    assert answer[-2:] == ["m-name-dut-[edgecxr]", "m-ready"]


@pytest.mark.parametrize("keep_image", [0, 1])
def test_hostile_bytes_under_sanitizers(keep_image: int, fuzzer: Callable[[int], Path]) -> None:
    program = fuzzer(keep_image)
    done = subprocess.run([str(program), "1", "200000"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "200000 inputs\n"), done.stderr[-2000:]
