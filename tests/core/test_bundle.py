# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.core.bundle import Bundle
from edgecxr.errors import BundleError, OutputError
from tests.bundles import write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle with an int8 file of four bytes, and without a float32 file."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "int8.tflite").write_bytes(b"int8")
    return write_bundle(tmp_path / "b", tmp_path / "models")


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_was_written_is_read_back(bundle: Bundle) -> None:
    again = Bundle.open(bundle.folder)
    assert again.manifest == bundle.manifest
    assert again.path("int8").read_bytes() == b"int8"


def test_a_missing_kind_says_which_command_makes_it(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"no float32.tflite; run `edgecxr quantize`"):
        bundle.path("float32")


def test_a_changed_file_is_named(bundle: Bundle) -> None:
    (bundle.folder / "int8.tflite").write_bytes(b"INT8")
    with pytest.raises(BundleError, match=r"int8.tflite does not have the SHA-256"):
        Bundle.open(bundle.folder)


def test_a_file_of_another_size_is_named(bundle: Bundle) -> None:
    (bundle.folder / "int8.tflite").write_bytes(b"int")
    with pytest.raises(BundleError, match=r"int8.tflite has 3 bytes where the manifest says 4"):
        Bundle.open(bundle.folder)


def test_a_missing_file_is_named(bundle: Bundle) -> None:
    (bundle.folder / "int8.tflite").unlink()
    with pytest.raises(BundleError, match=r"int8.tflite is named in the manifest and is missing"):
        Bundle.open(bundle.folder)


def test_a_newer_manifest_asks_for_an_update(bundle: Bundle) -> None:
    edit_manifest(bundle.folder, version=2, something="new")
    with pytest.raises(BundleError, match="version 2, and this edgecxr reads up to 1; update"):
        Bundle.open(bundle.folder)


def test_a_file_outside_the_bundle_is_refused(bundle: Bundle) -> None:
    record = {"path": "../secret", "size": 1, "sha256": "0" * 64}
    edit_manifest(bundle.folder, files={"int8": record})
    with pytest.raises(BundleError, match="not a plain name"):
        Bundle.open(bundle.folder)


def test_a_folder_without_a_manifest_says_what_a_bundle_is(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"not a bundle: expected a folder with manifest.json"):
        Bundle.open(tmp_path)


@given(st.text(max_size=40) | st.from_regex(r'\{"version": 1, "name": .{0,20}\}', fullmatch=True))
def test_any_nonsense_in_a_manifest_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("nonsense")
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert "\n" not in str(caught.value)


def test_a_changed_manifest_is_written(bundle: Bundle) -> None:
    bundle.with_manifest(name="other")
    assert Bundle.open(bundle.folder).manifest.name == "other"


def test_files_and_their_records_change_together(bundle: Bundle) -> None:
    bundle.with_files({"int8": b"other"}, name="new")
    opened = Bundle.open(bundle.folder)
    assert opened.path("int8").read_bytes() == b"other"
    assert opened.manifest.name == "new"


def test_a_full_disk_leaves_the_old_bundle_whole(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def full_at_the_second(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {path.name: path.read_bytes() for path in bundle.folder.iterdir()}
    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OutputError, match="the disk is full"):
        bundle.with_files({"int8": b"other"})
    assert before == {path.name: path.read_bytes() for path in bundle.folder.iterdir()}
    Bundle.open(bundle.folder)


def test_reads_of_a_split_are_counted_on_disk(bundle: Bundle) -> None:
    for _ in range(3):
        Bundle.open(bundle.folder).count_read("test", "f")
    bundle.count_read("val", "f")
    again = Bundle.open(bundle.folder)
    assert again.reads_of("test", "f") == 3
    assert again.reads_of("val", "f") == 1
    assert again.reads_of("test", "of other images") == 0


def test_a_manifest_that_was_opened_before_does_not_undo_a_count(bundle: Bundle) -> None:
    Bundle.open(bundle.folder).count_read("test", "f")
    bundle.with_manifest(name="changed")
    assert Bundle.open(bundle.folder).reads_of("test", "f") == 1


def test_new_files_have_not_been_tried_yet(bundle: Bundle) -> None:
    bundle.count_read("test", "f").with_files({"int8": b"other"})
    again = Bundle.open(bundle.folder)
    assert again.reads_of("test", "f") == 0
    again.count_read("test", "f")
    assert Bundle.open(bundle.folder).reads_of("test", "f") == 1


def test_reads_at_the_same_time_are_all_counted(bundle: Bundle) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bundle.count_read("test", "f"), range(24)))
    assert Bundle.open(bundle.folder).reads_of("test", "f") == 24


def test_a_count_that_cannot_be_written_says_so(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(_: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "fsync", read_only)
    with pytest.raises(OutputError, match="Read-only file system"):
        bundle.count_read("test", "f")
    assert Bundle.open(bundle.folder).reads_of("test", "f") == 0


def test_a_manifest_from_before_decisions_opens(bundle: Bundle) -> None:
    path = bundle.folder / "manifest.json"
    content = json.loads(path.read_text())
    del content["decision"], content["reads"]
    path.write_text(json.dumps(content))
    assert Bundle.open(bundle.folder).manifest == bundle.manifest
