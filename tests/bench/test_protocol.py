# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.bench import protocol
from edgecxr.bench.protocol import DeviceInfo, LineReader, RefusalError, WireError
from edgecxr.errors import DeviceError
from tests.bench.simulated import INFO, SimulatedDevice

DEVICE = DeviceInfo.model_validate(INFO)
scores_int8 = st.lists(st.integers(-128, 127), min_size=1, max_size=20)
bits = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20)


def reply_to(device: SimulatedDevice, command: str) -> list[bytes]:
    """The lines of a reply, without m-ready."""
    ((_, data),) = device.feed(protocol.encode(command), 0.0)
    *lines, ready = data.removesuffix(b"\r\n").split(b"\r\n")
    assert ready == b"m-ready"
    return lines


@pytest.fixture
def loaded() -> SimulatedDevice:
    device = SimulatedDevice()
    image = bytes(9216)
    device.feed(protocol.encode(protocol.raw_load(image)), 0.0)
    assert device.feed(image, 0.0) == [(0.0, b"m-load-done\r\nm-ready\r\n")]
    return device


def test_commands_are_what_the_contract_says() -> None:
    image = bytes(range(256)) * 36
    assert protocol.encode(protocol.raw_load(image)) == b"db raw 9216 %08X%%" % zlib.crc32(image)
    assert protocol.encode(protocol.infer(1, 0)) == b"infer 1 0%"
    assert protocol.expecting(9216) == "m-[Expecting 9216 bytes]"


@given(st.binary(max_size=400))
def test_text_pieces_carry_every_byte_within_the_limit(image: bytes) -> None:
    pieces = protocol.text_pieces(image)
    assert b"".join(bytes.fromhex(piece.removeprefix("db ")) for piece in pieces) == image
    assert all(len(protocol.encode(piece)) <= protocol.COMMAND_LIMIT + 1 for piece in pieces)


@pytest.mark.parametrize("command", ["a" * 81, "50 %", "one\ntwo", "tab\t"])
def test_what_the_wire_cannot_say_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="no command"):
        protocol.encode(command)


@given(scores_int8)
def test_int8_scores_come_back(values: list[int]) -> None:
    found = protocol.parse_scores(",".join(map(str, values)), "int8")
    assert found.dtype == np.int8
    assert found.tolist() == values


@given(bits)
def test_float32_scores_come_back_bit_for_bit(values: list[int]) -> None:
    found = protocol.parse_scores(",".join(f"{value:08x}" for value in values), "float32")
    assert found.dtype == np.float32
    assert found.view(np.uint32).tolist() == values


@pytest.mark.parametrize("text", ["", "128", "-129", "1,,2", "1.5", "--1", "0x1"])
def test_other_int8_scores_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        protocol.parse_scores(text, "int8")


@given(st.lists(st.binary(max_size=50)), st.data())
def test_lines_do_not_depend_on_how_the_bytes_arrive(lines: list[bytes], data: st.DataObject):
    lines = [line.replace(b"\n", b"").removesuffix(b"\r") for line in lines]
    sent = b"".join(line + b"\r\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    reader = LineReader()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        found += reader.feed(sent[begin:end])
    assert found == lines


def test_a_line_without_end_is_not_kept() -> None:
    reader = LineReader()
    for _ in range(100):
        assert reader.feed(b"x" * 1000) == []
    assert reader.feed(b"x\r\nm-ready\r\n") == [b"m-ready"]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_byte_soup_is_never_a_reply(lines: list[bytes]) -> None:
    with pytest.raises(WireError):
        protocol.checked("info", lines)
    assert all(isinstance(protocol.text_of(line), str) for line in lines)


@given(st.lists(st.text(max_size=60), max_size=8))
def test_checked_nonsense_is_an_error_of_ours(texts: list[str]) -> None:
    for parse in (protocol.parse_info, lambda t: protocol.parse_inference(t, DEVICE)):
        with pytest.raises(WireError):
            parse(texts)


def test_info_is_read() -> None:
    device = SimulatedDevice()
    assert protocol.parse_info(protocol.checked("info", reply_to(device, "info"))) == DEVICE


def test_an_inference_is_read(loaded: SimulatedDevice) -> None:
    lines = protocol.checked("infer 3 1", reply_to(loaded, "infer 3 1"))
    found = protocol.parse_inference(lines, DEVICE)
    assert found.runs == 3
    assert found.image_crc == zlib.crc32(bytes(9216))
    assert 150_000 <= found.ticks <= 153_000  # although the device's clock wrapped


def test_every_single_damaged_byte_is_found(loaded: SimulatedDevice) -> None:
    lines = reply_to(loaded, "infer 1 0")
    whole = b"\r\n".join(lines)
    for at in range(len(whole)):
        for damage in (b"", bytes([whole[at] ^ 1]), bytes([whole[at] ^ 4]), whole[at : at + 1] * 2):
            damaged = (whole[:at] + damage + whole[at + 1 :]).split(b"\r\n")
            try:
                texts = protocol.checked("infer 1 0", damaged)
            except WireError:
                continue
            # Only the check line's own case of letters may change without harm.
            assert texts == protocol.checked("infer 1 0", lines), at


def test_a_reply_to_another_command_is_found(loaded: SimulatedDevice) -> None:
    with pytest.raises(WireError, match="damaged"):
        protocol.checked("infer 1 0", reply_to(loaded, "infer 2 0"))


def test_a_refusal_keeps_the_words_of_the_device() -> None:
    lines = reply_to(SimulatedDevice(), "infer 1 0")
    with pytest.raises(RefusalError, match="the device refused infer 1 0%: No image loaded"):
        protocol.checked("infer 1 0", lines)
    assert issubclass(RefusalError, DeviceError)


def demo_line(**changes: object) -> str:
    said = {
        "image": "synthetic_normal",
        "crc32": "0123ABCD",
        "label": "b",
        "score": 0.9,
        "scores": "-128,100,-100",
        "us": 1234,
        **changes,
    }
    return f"m-demo-[{json.dumps(said)}]"


ONE_DEMO = DEVICE.model_copy(update={"demo_images": 1})


def test_a_line_of_the_demo_is_read() -> None:
    (found,) = protocol.parse_demo([demo_line()], ONE_DEMO)
    assert found.image == "synthetic_normal"
    assert found.found.scores.tolist() == [-128, 100, -100]
    assert (found.found.ticks, found.found.runs) == (1234, 1)
    assert found.found.image_crc == 0x0123ABCD


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "expected 1 lines m-demo, found 0"),
        (["m-demo-[x]"], "not what this edgecxr expects"),
        (["m-demo-[3]"], "not what this edgecxr expects"),
        ([demo_line(us=-1)], "not what this edgecxr expects"),
        ([demo_line(crc32="x")], "not what this edgecxr expects"),
        ([demo_line(scores="1,2")], "do not fit"),
        ([demo_line(label="a")], "do not fit"),
    ],
)
def test_a_demo_that_is_none_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(WireError, match=said):
        protocol.parse_demo(lines, ONE_DEMO)


@given(st.text(max_size=60))
def test_any_text_as_a_demo_is_read_or_refused(text: str) -> None:
    with pytest.raises(WireError):
        protocol.parse_demo([f"m-demo-[{text}]"], ONE_DEMO)
