# SPDX-License-Identifier: Apache-2.0
"""Bundles that a stranger made to read, write, hang or mislead: one sentence each."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecxr.core.bundle import DOCUMENTS, Bundle
from edgecxr.core.text import NOTICE
from edgecxr.errors import BundleError
from tests.bundles import write_bundle

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a bundle with the models of cxr3, three labels, and a card that is recorded."""
    bundle = write_bundle(tmp_path / "b", CXR3)
    return bundle.with_documents(b"# Card\n").folder


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(folder: Path) -> str:
    """The sentence; it is one line, and nothing in it is a control character."""
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


def in_place(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    (folder / name).unlink()
    make(folder / name)
    return folder


@pytest.mark.parametrize("name", ["manifest.json", "int8.tflite", "README.md"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a link"),
        (lambda path: path.symlink_to(CXR3 / path.name), "is a link"),
        (lambda path: path.mkdir(), "is no regular file"),
    ],
    ids=["pipe", "endless", "link", "folder"],
)
def test_only_regular_files_are_opened(
    folder: Path, name: str, make: Callable[[Path], object], why: str
) -> None:
    # Opening a pipe would wait for its writer, and reading /dev/zero would fill the memory.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert f"{name} {why}" in refusal(in_place(folder, name, make))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize("name", ["manifest.json", "README.md"])
def test_a_file_that_is_far_too_large_is_not_read(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.truncate(2**32)
    assert "4,294,967,296 bytes" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"version": NaN}', "NaN where a number is expected"),
        ('{"version": ' + "9" * 5_000 + "}", "cannot be read as JSON"),
        ("\x00", "cannot be read as JSON"),
    ],
)
def test_odd_json_is_one_sentence(folder: Path, text: str, why: str) -> None:
    (folder / "manifest.json").write_text(text)
    assert why in refusal(folder)


@pytest.mark.parametrize(
    "name", ["../../x/autostart", "/root/x", "a\x00b", "\x1b]0;t\x07", "..", ""]
)
def test_a_name_that_could_be_a_path_or_a_command_is_refused(folder: Path, name: str) -> None:
    edit(folder, name=name)
    assert "name: expected one part of a path that can be printed" in refusal(folder)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a", "a", "b"], "'a' twice"),
        (["a", " ", "b"], "nothing is to be seen"),
        (["a", "\ud83d", "b"], "do not print"),
        (["a", "b"], "has 3 outputs, and the manifest 2 labels"),
        (["a", "b", "c", "d"], "has 3 outputs, and the manifest 4 labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder: Path, labels: list[str], why: str) -> None:
    edit(folder, labels=labels)
    assert why in refusal(folder)


def test_no_text_of_a_manifest_holds_a_control_character(folder: Path) -> None:
    edit(folder, tools={"edgecxr": "1\x1b[2J"})
    assert "texts of at most" in refusal(folder)
    edit(folder, tools={"x" * 5_000: "1"})
    assert "texts of at most" in refusal(folder)


def test_the_notice_is_ours(folder: Path) -> None:
    edit(folder, notice="FDA approved\x1b[2J. Use on patients.")
    assert Bundle.open(folder).manifest.notice == NOTICE


def test_images_are_not_made_larger_than_the_model_takes(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    edit(folder, preprocessing={**content["preprocessing"], "height": 10**6, "width": 10**6})
    assert "preprocessing" in refusal(folder)
    edit(folder, input={"height": 10**6, "width": 96, "channels": 1})
    assert "input.height" in refusal(folder)


def test_a_card_that_was_changed_is_refused_until_it_is_recorded(folder: Path) -> None:
    (folder / "README.md").write_text("# Curd\n")
    assert "README.md does not have the SHA-256" in refusal(folder)
    Bundle.open(folder, own=True).with_documents()
    assert Bundle.open(folder).document("card") == b"# Curd\n"


def test_a_card_that_is_not_recorded_is_not_read(folder: Path) -> None:
    bundle = Bundle.open(folder)
    (folder / DOCUMENTS["curve"]).write_text("epoch\n1\n")
    assert bundle.document("curve") is None


def test_a_bundle_from_before_documents_were_recorded_is_read_as_it_lies(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    del content["documents"]
    (folder / "manifest.json").write_text(json.dumps(content))
    bundle = Bundle.open(folder)
    assert bundle.document("card") == b"# Card\n"
    assert bundle.document("curve") is None
    secret = folder.parent / "id_rsa"
    secret.write_text("a private key")
    in_place(folder, "README.md", lambda path: path.symlink_to(secret))
    with pytest.raises(BundleError, match=r"README\.md is a link"):
        bundle.document("card")
