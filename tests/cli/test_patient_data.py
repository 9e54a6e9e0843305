# SPDX-License-Identifier: Apache-2.0
"""No patient data leave a DICOM file, whatever is done with it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from edgecxr.cli.demo_lab import BenchTop
from edgecxr.cli.main import run
from edgecxr.demo.app import make_app
from tests.dicoms import MARK, MARKS, write_dicom

pytestmark = pytest.mark.heavy

EACH = 4
QUICK = ("--split", "test", "--runtime", "litert", "--runs", "1", "--warmup", "0")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three classes in three splits, as DICOM files whose attributes hold marks."""
    folder = tmp_path / "archive"
    rng = np.random.default_rng(3)
    for split in ("train", "val", "test"):
        for label in "abc":
            (folder / split / label).mkdir(parents=True)
            for number in range(EACH):
                values = rng.integers(0, 4096, (32, 32)).astype("<u2")
                (folder / split / label / f"{number}.dcm").write_bytes(write_dicom(values))
    return folder


def marked(folder: Path) -> list[str]:
    """Files below that hold a mark in any encoding of it, or in their names."""
    found = []
    for path in folder.rglob("*"):
        data = (path.read_bytes() if path.is_file() else b"") + path.name.encode()
        if any(mark.encode(how) in data for mark in MARKS for how in ("utf-8", "utf-16-le")):
            found.append(str(path))
    return found


@pytest.fixture
def seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> contextlib.AbstractContextManager[None]:
    """What runs within may leave no mark in the home folder, the cache, or what it prints."""

    @contextlib.contextmanager
    def watched():  # type: ignore[no-untyped-def]
        monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "made" / "cache"))
        monkeypatch.setenv("TMPDIR", str(tmp_path / "made"))
        (tmp_path / "made").mkdir()
        yield
        shown = capfd.readouterr()
        assert not any(mark in shown.out + shown.err for mark in MARKS)
        assert any((tmp_path / "made").rglob("*.u8")), "the cache was not looked at"
        assert marked(tmp_path / "made") == []

    return watched()


def test_the_marks_can_be_found(archive: Path) -> None:
    assert len(marked(archive)) == 9 * EACH


@pytest.mark.parametrize("damaged", [False, True])
def test_nothing_of_a_patient_is_kept_or_shown(
    archive: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    seen: contextlib.AbstractContextManager[None],
    damaged: bool,
) -> None:
    path = archive / "train" / "a" / "0.dcm"
    if damaged:
        path.write_bytes(path.read_bytes()[:-50])
    with seen:
        run(["--verbose", "data", "info", str(archive), "--json"])
        code = run(["classify", str(path), "--model", str(tiny_bundle), "--json"])
        assert (code != 0) == damaged
        assert run(["bench", str(tiny_bundle), "--data", str(archive), *QUICK, "--json"]) == 0
        (tmp_path / "made" / "bundle").mkdir()
        for file in tiny_bundle.iterdir():
            (tmp_path / "made" / "bundle" / file.name).write_bytes(file.read_bytes())


def test_a_report_holds_nothing_of_a_patient(
    archive: Path, tiny_bundle: Path, tmp_path: Path, seen: contextlib.AbstractContextManager[None]
) -> None:
    made = tmp_path / "made" / "report.html"
    words = ["report", str(tiny_bundle), "--data", str(archive), "--html", str(made), "--markdown"]
    with seen:
        assert run(["--verbose", *words]) == 0
        assert "0.dcm" in made.read_text()  # what names the files is there, and no more


@pytest.mark.parametrize("end", [None, -50])
def test_the_demo_answers_and_logs_nothing_of_a_patient(
    archive: Path,
    tiny_bundle: Path,
    end: int | None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    file = (archive / "train" / "a" / "0.dcm").read_bytes()[:end]
    lab = BenchTop([tiny_bundle], [], 10.0)
    with TestClient(make_app(lab), base_url="http://127.0.0.1:8765") as page:
        asked = {"bundle": next(iter(lab.choices()["bundles"]))}
        answer = page.post("/api/host", params=asked, content=file, headers={"X-Edgecxr": "1"})
    lab.close()
    assert answer.status_code == (200 if end is None else 400)
    printed = capfd.readouterr()
    said = answer.text + caplog.text + printed.out + printed.err
    assert not any(mark in said for mark in MARKS)


def test_file_names_are_not_in_the_cache_either(
    archive: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgecxr.data.hashes._SETTLED_NS", -(10**18))
    for path in list(archive.rglob("*.dcm")):
        path.rename(path.with_name(f"{MARK}-{path.name}"))
    assert run(["bench", str(tiny_bundle), "--data", str(archive), *QUICK]) == 0
    assert list((tmp_path / "cache").rglob("hashes/*.json"))
    assert marked(tmp_path / "cache") == []
    assert marked(tiny_bundle) == []


@pytest.mark.slow
def test_a_bundle_trained_on_dicom_files_holds_nothing_of_them(
    archive: Path, tmp_path: Path, seen: contextlib.AbstractContextManager[None]
) -> None:
    out = tmp_path / "made" / "bundle"
    with seen:
        assert run(["train", str(archive), "--out", str(out), "--epochs", "1"]) == 0
        assert run(["quantize", str(out), "--data", str(archive)]) == 0
