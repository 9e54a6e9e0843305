# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecxr import errors
from edgecxr.cli import common, main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("edgecxr ")


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 0
    out = capsys.readouterr().out
    assert "not a medical device" in out
    assert all(verb in out for verb in ("data", "train", "quantize", "evaluate", "export", "bench"))


@pytest.mark.parametrize("arguments", [["nonsense"], ["train"], ["train", "x", "--epochs", "many"]])
def test_a_wrong_command_line_is_one_sentence_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("edgecxr: ")
    assert streams.err.count("\n") == 1


def test_an_error_of_ours_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["evaluate", "nowhere", "--data", "nowhere"]) == 1
    streams = capsys.readouterr()
    assert streams.err.startswith("edgecxr: nowhere is not a bundle")
    assert "Traceback" not in streams.err


def test_verbose_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--verbose", "evaluate", "nowhere", "--data", "nowhere"]) == 1
    assert "Traceback" in capsys.readouterr().err
    common.settings.verbose = False


@pytest.mark.parametrize("arguments", [["evaluate", "nowhere", "--data", "x"], ["evaluate"]])
def test_json_errors_are_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main.run([*arguments, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"error", "exit_code"}
    assert answer["exit_code"] == code > 0


def test_a_group_without_a_verb_shows_its_help_and_no_empty_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["data"]) == 2
    streams = capsys.readouterr()
    assert "phantom" in streams.out + streams.err
    assert "edgecxr: " not in streams.err


def test_what_the_file_system_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def denied(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", denied)
    assert main.run(["data", "info", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == f"{tmp_path}: Permission denied"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["boards"], ["boards", "--json"]])
def test_an_output_on_a_full_disk_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgecxr", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == ("edgecxr: the output could not be written: No space left on device\n")


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecxr.core.bundle.Bundle.open", interrupted)
    assert main.run(["evaluate", "x", "--data", "x"]) == 130
    assert capsys.readouterr().err == "edgecxr: interrupted\n"


def test_ctrl_c_during_the_imports_is_130_too(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    home = str(Path(main.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "edgecxr", "--help"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{home}"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "edgecxr: interrupted\n"


def test_every_error_class_has_the_documented_exit_code() -> None:
    codes = {
        cls.__name__: cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.EdgecxrError)
    }
    special = {
        "UsageError": 2,
        "DeviceError": 3,
        "FlashError": 4,
        "VerificationError": 5,
        "GateError": 6,
    }
    assert codes == {name: special.get(name, 1) for name in codes}


def test_progress_without_a_terminal_is_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "LINE_EVERY_S", 0.0)
    with common.progress_bar("Counting", 2) as advance:
        advance(1)
        advance(1)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "Counting: 1 of 2, 0 s left\nCounting: 2 of 2, done\n"


def test_an_unknown_package_is_named_with_its_extra() -> None:
    from edgecxr.optional import require

    with pytest.raises(errors.MissingPackageError, match=r'pip install "edgecxr\[train\]"'):
        require("surely_not_installed", extra="train")


def test_a_missing_dependency_of_a_package_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgecxr.optional import require

    (tmp_path / "half_there.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        require("half_there", extra="train")
