# SPDX-License-Identifier: Apache-2.0
"""Both programs that ``export --format eim`` gives, over their socket: one set of tests."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgecxr.bench.eim import opened_eim
from edgecxr.core.firmware import FIRMWARE, PORTS
from edgecxr.core.interpreter import open_interpreter
from edgecxr.core.process import export_model
from edgecxr.errors import DeviceError, ModelError
from edgecxr.export.eim_server import Framing, json_text
from tests.bundles import write_bundle

pytestmark = pytest.mark.heavy

# Braces would end the SDK's object too early; the name has a quote and a slash of its own.
LABELS = ("a{", 'b"\\', "ç}")
ELEMENTS = 96 * 96
SHARED = Path("/dev/shm")
GRAY = [0x808080] * ELEMENTS


needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("edge_impulse_linux") is None, reason="needs edge-impulse-linux"
)


@pytest.fixture(scope="module", params=["compiled", "litert"])
def eim(
    request: pytest.FixtureRequest, tiny_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("eim")
    bundle = write_bundle(folder / "tiny", tiny_models, LABELS)
    out = folder / f"{request.param}.eim"
    export_model(bundle.folder, out, "--format", "eim", "--runtime", request.param)
    if request.param == "litert":  # the interpreter of the tests, which has LiteRT
        text = out.read_bytes().replace(b"/usr/bin/env python3", sys.executable.encode(), 1)
        out.write_bytes(text)
    return out


class Client:
    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)

    def ask(self, request: dict[str, Any] | bytes) -> dict[str, Any]:
        self.send(request)
        return self.answer()

    def send(self, request: dict[str, Any] | bytes) -> None:
        self.socket.sendall(request if isinstance(request, bytes) else json.dumps(request).encode())

    def answer(self) -> dict[str, Any]:
        found = b""
        while not found.endswith(b"\0"):
            chunk = self.socket.recv(1)
            assert chunk, f"hung up after {found!r}"
            found += chunk
        reply: dict[str, Any] = json.loads(found[:-1])
        return reply


@contextmanager
def serving(eim: Path, path: Path) -> Iterator[Callable[[], Client]]:
    process = subprocess.Popen([eim, path])
    try:
        deadline = time.monotonic() + 30
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
        yield lambda: Client(str(path))
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert not path.exists()


@pytest.fixture(scope="module")
def server(eim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Client]]:
    with serving(eim, tmp_path_factory.mktemp("s") / "s") as connect:
        yield connect


@pytest.fixture
def client(server: Callable[[], Client]) -> Client:
    return server()


def classify(image: NDArray[np.uint8], number: int = 1) -> dict[str, Any]:
    features = image.astype(np.uint32) * 0x010101
    return {"classify": features.ravel().tolist(), "id": number}


@needs_sdk
def test_the_scores_are_those_of_the_reference_kernels(
    eim: Path, tiny_int8: Path, tiny_images: NDArray[np.uint8]
) -> None:
    expected = open_interpreter(tiny_int8, kernels="reference").scores(tiny_images)
    with opened_eim(eim) as running:
        found = np.array([running.classify(image)[0] for image in tiny_images])
        assert running.info.labels == LABELS
    assert found.tobytes() == expected.tobytes()


def test_the_socket_gives_the_same_scores_as_shared_memory(
    client: Client, tiny_images: NDArray[np.uint8]
) -> None:
    shared = client.ask({"hello": 1, "id": 1})["features_shm"]
    name = SHARED / shared["name"].lstrip("/")
    assert shared["elements"] == ELEMENTS
    for image, number in zip(tiny_images[:5], range(2, 7), strict=True):
        plain = client.ask(classify(image, number))
        features = image.astype(np.uint32) * 0x010101
        with name.open("r+b") as file:
            file.write(features.astype("<f4").tobytes())
        by_memory = client.ask({"classify_shm": {"elements": ELEMENTS}, "id": number})
        assert plain["success"]
        assert plain["id"] == number
        assert plain["result"] == by_memory["result"]
        assert list(plain["result"]["classification"]) == list(LABELS)


def test_colours_become_luminance(client: Client) -> None:
    pure = {0xFF0000: 76, 0x00FF00: 150, 0x0000FF: 29, 0x123456: 46}
    for colour, gray in pure.items():
        coloured = client.ask({"classify": [colour] * ELEMENTS, "id": 1})
        plain = client.ask({"classify": [gray * 0x010101] * ELEMENTS, "id": 1})
        assert coloured["result"]["classification"] == plain["result"]["classification"]


def test_no_brace_stands_in_a_string(client: Client) -> None:
    client.send({"hello": 1, "id": 1})
    found = b""
    while not found.endswith(b"\0"):
        found += client.socket.recv(4096)
    outside = b"".join(found.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    assert found.count(b"{") == outside.count(b"{") > 0
    assert found.count(b"}") == outside.count(b"}") > 0


@pytest.mark.parametrize(
    ("request_text", "why"),
    [
        (b"nonsense", "JSON object"),
        (b"[1,2]", "JSON object"),
        (b"{}", "hello, classify"),
        (b'{"hello":1,}', ""),
        (b'{"hello":01}', ""),
        (b'{"hello" 1}', ""),
        (b"{[}", ""),
        (b'{"hello":1,"classify":[]}', "found two"),
        (b'{"hello":1,"id":"x"}', "id must be"),
        (b'{"hello":1,"id":1.5}', "whole number"),
        (b'{"classify":[1,2],"id":5}', "expected 9216 values, found 2"),
        (b'{"classify":7}', "array"),
        (b'{"classify":[[1]]}', "array"),
        (b'{"classify_shm":{"elements":3},"id":5}', "expected 9216 values, found 3"),
        (b'{"classify_shm":1}', "elements"),
        (b'{"set_threshold":{"id":9,"min_score":0.5}}', "one threshold"),
        (b'{"set_threshold":{"id":1,"min_score":7}}', "0 to 1"),
        (b'{"hello":\xff}', ""),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", ""),
    ],
)
def test_a_wrong_request_gets_a_reason(client: Client, request_text: bytes, why: str) -> None:
    reply = client.ask(request_text)
    assert reply["success"] is False
    assert why in reply["error"]
    assert client.ask({"hello": 1, "id": 2})["success"] is True


@pytest.mark.parametrize("value", [-1, 0x1000000, 0.5, 1e300, "7", None, True])
def test_a_wrong_pixel_is_refused_and_the_id_comes_back(client: Client, value: object) -> None:
    reply = client.ask({"classify": [*GRAY[:-1], value], "id": 77})
    assert (reply["success"], reply["id"]) == (False, 77)


def test_one_byte_pieces(client: Client, tiny_images: NDArray[np.uint8]) -> None:
    wish = classify(tiny_images[0], 3)
    whole = client.ask(wish)
    for byte in json.dumps(wish).encode():
        client.send(bytes([byte]))
    assert client.answer()["result"] == whole["result"]


def test_two_requests_in_one_piece_are_answered_in_turn(client: Client) -> None:
    client.send(b'{"hello":1,"id":1} \n {"hello":1,"id":2}')
    assert [client.answer()["id"], client.answer()["id"]] == [1, 2]


def test_a_request_of_100_megabytes_does_not_stop_the_others(
    server: Callable[[], Client],
) -> None:
    large, small = server(), server()
    large.send(b'{"classify":[')
    for number in range(100):
        large.send(b"1," * 500_000)
        if number % 25 == 0:
            assert small.ask({"hello": 1, "id": number})["id"] == number
    large.send(b"1]}")
    assert large.answer()["success"] is False
    assert large.ask({"hello": 1, "id": 4})["success"] is True


def test_two_clients_at_once_and_one_that_hangs_up(server: Callable[[], Client]) -> None:
    one, two, three = server(), server(), server()
    text = json.dumps({"classify": GRAY, "id": 1}).encode()
    one.send(text[:5000])
    two.send(text[:70000])
    three.send(text[:100])
    three.socket.close()
    one.send(text[5000:])
    first = one.answer()
    two.send(text[70000:])
    assert first["success"]
    assert first["result"] == two.answer()["result"]


def test_a_client_that_leaves_before_its_answer(server: Callable[[], Client]) -> None:
    for _ in range(20):
        gone = server()
        gone.send({"classify": GRAY, "id": 1})
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.socket.close()
    assert server().ask({"hello": 1, "id": 1})["success"]


def test_a_threshold_makes_images_uncertain(client: Client) -> None:
    assert client.ask({"classify": GRAY, "id": 1})["result"]["uncertain"] is False
    assert client.ask({"set_threshold": {"id": 1, "min_score": 1}, "id": 2})["success"]
    assert client.ask({"classify": GRAY, "id": 3})["result"]["uncertain"] is True
    (threshold,) = client.ask({"hello": 1, "id": 4})["model_parameters"]["thresholds"]
    assert threshold["min_score"] == 1
    assert client.ask({"set_threshold": {"id": 1, "min_score": 0}, "id": 5})["success"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_0_and_removes_what_it_made(
    eim: Path, tmp_path: Path, number: signal.Signals
) -> None:
    before = set(SHARED.iterdir())
    path = tmp_path / "s"
    process = subprocess.Popen([eim, path])
    while not path.exists():
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not path.exists()
    made = {path.name for path in set(SHARED.iterdir()) - before}
    assert not {name for name in made if str(process.pid) in name}


def test_it_says_what_it_is(eim: Path, tmp_path: Path) -> None:
    done = subprocess.run([eim, "--self-check"], capture_output=True, text=True, check=True)
    assert "not a medical device" in done.stdout
    assert "96 x 96" in done.stdout
    (tmp_path / "taken").write_text("")
    taken = subprocess.run([eim, tmp_path / "taken"], capture_output=True, text=True)
    assert taken.returncode == 1
    assert "in use" in taken.stderr
    assert subprocess.run([eim], capture_output=True).returncode == 2


@needs_sdk
def test_a_program_that_ends_early_does_not_hang_us(tmp_path: Path) -> None:
    early = tmp_path / "early.eim"
    early.write_text("#!/bin/sh\nexit 3\n")
    early.chmod(0o755)
    with pytest.raises(DeviceError, match="ended with code 3 before"), opened_eim(early):
        pass


def test_a_model_without_labels_is_refused(tiny_int8: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no labels"):
        export_model(tiny_int8, tmp_path / "x.eim", "--format", "eim")


@given(st.lists(st.sampled_from(["{", "}", '"', "\\", "a", "{}", '{"a":"}"}'])), st.randoms())
def test_pieces_do_not_matter(parts: list[str], rng: random.Random) -> None:
    data = "".join(parts).encode()
    whole, pieces = Framing(1000), Framing(1000)
    expected = whole.push(data)
    found: list[bytes | None] = []
    at = 0
    while at < len(data):
        size = rng.randint(1, 4)
        found += pieces.push(data[at : at + size])
        at += size
    assert found == expected


def test_hostile_requests_do_no_harm_to_the_native_parser(tmp_path: Path) -> None:
    """The fuzzer's own inputs, byte by byte and in one piece: no fault, and the same answers."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    flags = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-O1", "-DSEEDED")
    sources = (FIRMWARE / "fuzz" / "eim" / "eim.c", PORTS / "eim" / "request.c")
    program = tmp_path / "fuzz"
    command = ["gcc", *flags, *sanitizers, f"-I{PORTS / 'eim'}", *map(str, sources), "-o"]
    subprocess.run([*command, str(program)], check=True)
    done = subprocess.run([program, "3", "50000"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "50000 inputs\n"), done.stderr


@given(st.recursive(st.text() | st.integers(), lambda x: st.dictionaries(st.text(), x)))
def test_json_text_is_json_without_braces_in_strings(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    inside = json.dumps(value).replace("\\\\", "").replace('\\"', "").split('"')[::2]
    assert text.count("{") == "".join(inside).count("{")
