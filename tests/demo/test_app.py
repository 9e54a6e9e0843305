# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from edgecxr.cli.demo_lab import BenchTop
from edgecxr.demo import app
from edgecxr.demo.app import make_app
from tests.dicoms import write_dicom

OURS = {"X-Edgecxr": "1"}
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def bundle(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.bundles import write_bundle

    return write_bundle(tmp_path_factory.mktemp("demo") / "tiny", tiny_models).folder


@pytest.fixture(scope="module")
def page(bundle: Path) -> Iterator[TestClient]:
    lab = BenchTop([bundle], [], 10.0)
    with TestClient(make_app(lab), base_url=ADDRESS) as client:
        yield client
    lab.close()


@pytest.fixture
def name(page: TestClient) -> str:
    return next(iter(page.get("/api/choices").json()["bundles"]))


def png(width: int = 96, height: int = 96) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width), 77, np.uint8)).save(file, "PNG")
    return file.getvalue()


def post(page: TestClient, path: str, body: bytes, **asked: str) -> Any:
    return page.post(f"/api/{path}", params=asked, content=body, headers=OURS)


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/api/choices"])
def test_everything_is_served_with_a_strict_policy(page: TestClient, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_says_what_it_is_not_and_loads_nothing_from_elsewhere(page: TestClient) -> None:
    text = page.get("/").text
    assert "Not a medical device" in text
    for path in ("/", "/page.css", "/page.js"):
        assert "//" not in page.get(path).text.replace("// ", "")


def test_both_models_answer_with_scores_and_latency(page: TestClient, name: str) -> None:
    answer = post(page, "host", png(), bundle=name).json()
    assert [found["precision"] for found in answer["found"]] == ["float32", "int8"]
    for found in answer["found"]:
        assert sum(found["scores"].values()) == pytest.approx(1, abs=0.02)
        assert found["latency_ms"] > 0
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
    assert pixels.tolist() == [77] * 96 * 96
    shown = base64.b64decode(answer["picture"].partition(",")[2])
    assert Image.open(io.BytesIO(shown)).size == (96, 96)


def test_every_sample_can_be_looked_at(page: TestClient, name: str) -> None:
    for sample in page.get("/api/choices").json()["samples"]:
        picture = page.get("/api/sample", params={"name": sample}).content
        assert post(page, "host", picture, bundle=name).status_code == 200


def test_a_dicom_file(page: TestClient, name: str) -> None:
    values = np.linspace(0, 4095, 96 * 96).reshape(96, 96).astype("<u2")
    answer = post(page, "host", write_dicom(values), bundle=name)
    assert answer.status_code == 200
    assert b"Zq7Xmark" not in answer.content


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "it is empty"),
        (b"no image", "no PNG, JPEG, TIFF, BMP or DICOM image"),
        (png()[:90], "not a usable image"),
        (png(9000, 9000), "million"),
    ],
)
def test_a_bad_file_gets_a_sentence(page: TestClient, name: str, body: bytes, told: str) -> None:
    answer = post(page, "host", body, bundle=name)
    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_fifty_megapixels_are_looked_at(page: TestClient, name: str) -> None:
    assert post(page, "host", png(10000, 5000), bundle=name).status_code == 200


def test_an_upload_is_bounded(page: TestClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_UPLOAD", 2**20)
    answer = post(page, "host", bytes(2**20 + 1), bundle=name)
    assert answer.json()["error"].startswith("expected a file of up to 1 MiB")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("host", {}),
        ("host", {"bundle": "../../etc"}),
        ("device", {"bundle": "?", "device": "/dev/ttyUSB0"}),
        ("explain", {"bundle": "?"}),
    ],
)
def test_only_what_was_started_can_be_asked(
    page: TestClient, name: str, path: str, asked: dict[str, str]
) -> None:
    asked = {key: name if value == "?" else value for key, value in asked.items()}
    answer = post(page, path, b"short", **asked)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"host": "127.0.0.1:8765"}, True),
        ({"host": "localhost:8765"}, True),
        ({"host": "[::1]:8765"}, True),
        ({"host": "attacker.example:8765"}, False),
        ({"host": "127.0.0.1.attacker.example"}, False),
        ({"host": "localhost.attacker.example"}, False),
        ({"host": "["}, False),
        ({"host": "127.0.0.1:8765", "origin": "http://127.0.0.1:8765"}, True),
        ({"host": "127.0.0.1:8765", "origin": "http://127.0.0.1:9999"}, False),
        ({"host": "127.0.0.1:8765", "origin": "https://attacker.example"}, False),
        ({"host": "127.0.0.1:8765", "origin": "null"}, False),
    ],
)
def test_pages_elsewhere_cannot_drive_it(
    page: TestClient, name: str, headers: dict[str, str], allowed: bool
) -> None:
    asked = {"bundle": name}
    got = page.get("/api/choices", headers=headers)
    put = page.post("/api/host", params=asked, content=png(), headers={**OURS, **headers})
    assert [got.status_code, put.status_code] == ([200, 200] if allowed else [403, 403])


def test_a_form_elsewhere_cannot_post(page: TestClient, name: str) -> None:
    answer = page.post("/api/host", params={"bundle": name}, content=png())
    assert answer.status_code == 403


def test_users_at_once_all_get_their_own_answer(page: TestClient, name: str) -> None:
    def shade(value: int) -> tuple[int, int]:
        file = io.BytesIO()
        Image.fromarray(np.full((96, 96), value, np.uint8)).save(file, "PNG")
        answer = post(page, "host", file.getvalue(), bundle=name).json()
        return value, base64.b64decode(answer["pixels"])[0]

    with ThreadPoolExecutor(8) as pool:
        assert all(given == seen for given, seen in pool.map(shade, range(0, 240, 10)))
