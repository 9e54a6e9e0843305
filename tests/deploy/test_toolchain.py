# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.deploy.toolchain import Tool, find, version
from edgecxr.errors import MissingPackageError


def fake(folder: Path, says: str) -> str:
    path = folder / "fake-tool"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205", (12, 2, 1)),
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", (7, 2, 22)),
        ("arduino-cli  Version: 1.5.1 Commit: 5994c5d39 Date: 2026-07-24T16:29:50Z", (1, 5, 1)),
        ("West version: v1.5.0", (1, 5, 0)),
        ("no number", ()),
    ],
)
def test_versions_are_read(says: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    assert version(fake(tmp_path, says)) == expected


def test_a_missing_tool_says_how_to_get_it() -> None:
    with pytest.raises(MissingPackageError, match="no-such-tool was not found; ask a friend"):
        find(Tool("no-such-tool", (), "ask a friend"))


def test_a_missing_tool_says_which_version_is_wanted() -> None:
    with pytest.raises(MissingPackageError, match=r"no-such-tool 1\.1 or newer was not found; ask"):
        find(Tool("no-such-tool", (1, 1), "ask a friend"))


def test_a_tool_may_say_its_version_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "fake-tool"
    path.write_text('#!/bin/sh\ntest "$*" = version && echo "tool Version: 1.2.3"\n')
    path.chmod(0o755)
    assert find(Tool(str(path), (1, 2), "", ask=("version",))) == str(path)
    with pytest.raises(MissingPackageError, match=r"is version unknown, expected 1\.2"):
        find(Tool(str(path), (1, 2), ""))


def test_an_old_tool_is_refused(tmp_path: Path) -> None:
    old = Tool(fake(tmp_path, "tool 9.3.1"), (10,), "get a new one")
    with pytest.raises(MissingPackageError, match=r"9\.3\.1, expected 10 or newer; get a new one"):
        find(old)
