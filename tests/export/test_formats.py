# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.errors import OutputError
from edgecxr.export.formats import Export, write_export

EXPORT = Export({"a.h": "new", "b.cc": b"bytes"})


def test_all_files_are_written(tmp_path: Path) -> None:
    write_export(EXPORT, tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "a.h").read_text() == "new"
    assert (tmp_path / "deep" / "out" / "b.cc").read_bytes() == b"bytes"


def test_an_existing_folder_needs_force(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        write_export(EXPORT, tmp_path)
    assert (tmp_path / "a.h").read_text() == "old"
    write_export(EXPORT, tmp_path, force=True)
    assert (tmp_path / "a.h").read_text() == "new"


def test_force_never_removes_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis.tex, which this export does not write"):
        write_export(EXPORT, tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("mine")
    with pytest.raises(OutputError, match="is a file, expected a folder"):
        write_export(EXPORT, path, force=True)
    assert path.read_text() == "mine"
