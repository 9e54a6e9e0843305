# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecxr.cli.watch import arrivals


class EndError(Exception):
    pass


def watched(folder: Path, steps: list[Callable[[], object]]) -> list[str]:
    """What lands while the steps are done, one between any two looks."""
    waiting = iter(steps)

    def pause() -> None:
        step = next(waiting, None)
        if step is None:
            raise EndError
        step()

    found = []
    with pytest.raises(EndError):
        for path in arrivals(folder, pause):
            found.append(path.name)
    return found


def nothing() -> None:
    pass


def write(path: Path, text: str, time: int) -> Callable[[], object]:
    def step() -> None:
        path.write_text(text)
        os.utime(path, (time, time))

    return step


def test_what_lands_comes_once_and_what_was_there_does_not(tmp_path: Path) -> None:
    write(tmp_path / "old.png", "old", 1)()
    steps = [write(tmp_path / "new.png", "new", 2), nothing, nothing, nothing]
    assert watched(tmp_path, steps) == ["new.png"]


def test_a_file_that_grows_comes_when_it_is_whole(tmp_path: Path) -> None:
    growing = [write(tmp_path / "new.png", "x" * size, size) for size in range(1, 4)]
    assert watched(tmp_path, growing) == []
    (tmp_path / "new.png").unlink()
    assert watched(tmp_path, [*growing, nothing, nothing]) == ["new.png"]


def test_a_changed_file_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    steps = [write(path, "1", 1), nothing, nothing, write(path, "2", 2), nothing, nothing]
    assert watched(tmp_path, steps) == ["new.png", "new.png"]


def test_hidden_files_and_folders_do_not_come(tmp_path: Path) -> None:
    steps = [write(tmp_path / ".part", "x", 1), (tmp_path / "folder").mkdir, nothing, nothing]
    assert watched(tmp_path, steps) == []


def test_a_file_that_goes_and_comes_back_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    write(path, "1", 1)()
    steps = [path.unlink, nothing, write(path, "1", 1), nothing, nothing]
    assert watched(tmp_path, steps) == ["new.png"]
