# SPDX-License-Identifier: Apache-2.0
"""``bench`` and ``classify`` on the real firmware, run as a program of this computer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.bench.classify import OnDevice
from edgecxr.bench.device import Device
from edgecxr.bench.protocol import Inference
from edgecxr.bench.transport import open_line
from edgecxr.cli import devices
from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.core.ports import Port
from edgecxr.core.preprocess import Preprocessing
from edgecxr.core.result import BenchResult, BenchRow, ClassifyResult
from edgecxr.deploy.build import HOST, build
from edgecxr.deploy.emulate import emulated
from edgecxr.errors import DeviceError, FlashError, UsageError
from tests.bundles import write_bundle
from tests.cli.test_bench import pictures  # noqa: F401  (a fixture)
from tests.images import blocky_images

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def bundle(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_models)


@pytest.fixture(scope="module")
def device(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a device that runs the bundle's int8 model."""
    with emulated(build(bundle, HOST, folder=tmp_path_factory.mktemp("firmware"))) as url:
        yield url


@pytest.fixture
def picture(tmp_path: Path, tiny_images) -> Path:
    Image.fromarray(tiny_images[0]).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def row_of(out: str) -> BenchRow:
    (row,) = BenchResult.model_validate_json(out).rows
    return row


def test_a_device_and_the_host_in_one_table(bundle, device, pictures, capsys) -> None:  # noqa: F811
    asked = ["bench", str(bundle.folder), "--data", str(pictures), "--precision", "int8"]
    quick = ["--runtime", "litert-reference", "--runs", "5", "--json"]
    assert run([*asked, "--device", "host", "--device", device, *quick]) == 0
    on_host, on_device = BenchResult.model_validate_json(capsys.readouterr().out).rows
    assert (on_host.device, on_device.device) == ("host", device)
    assert on_device.images == 24
    assert on_device.bit_exact_with_host == on_device.agreement_with_host == 1
    assert on_device.max_score_difference == 0
    assert on_device.compared_with == "tflm"
    assert on_device.runtime == "compiled"
    assert on_device.model_sha256 == on_host.model_sha256
    assert on_device.latency_ms is not None
    assert on_device.latency_ms.runs == 24
    assert on_device.flash_bytes is None  # a program of this computer has none


def test_an_interrupted_run_goes_on_where_it_stopped(
    bundle,
    device,
    pictures,  # noqa: F811
    capsys,
    monkeypatch,
) -> None:
    asked = ["bench", str(bundle.folder), "--data", str(pictures), "--device", device, "--json"]
    sent: list[int] = []
    real = Device.classify

    def interrupted_after_ten(self: Device, image, *, warmup: int = 0) -> Inference:
        if len(sent) == 10:
            raise KeyboardInterrupt
        sent.append(warmup)
        return real(self, image, warmup=warmup)

    monkeypatch.setattr(Device, "classify", interrupted_after_ten)
    assert run(asked) == 130
    capsys.readouterr()
    sent.append(0)
    assert run(asked) == 0
    captured = capsys.readouterr()
    done = 9  # the first one was for warm-up
    assert f"going on with an interrupted run, {done} of 24 images are done" in captured.err
    assert len(sent) == 11 + 24 - done + 1
    row = row_of(captured.out)
    assert (row.images, row.bit_exact_with_host) == (24, 1)
    assert run(asked) == 0
    assert "going on" not in capsys.readouterr().err


def test_fresh_measures_everything_again(
    bundle,
    device,
    pictures,  # noqa: F811
    capsys,
    monkeypatch,
) -> None:
    asked = ["bench", str(bundle.folder), "--data", str(pictures), "--device", device, "--json"]
    monkeypatch.setattr("edgecxr.bench.record.Record.forget", lambda _self: None)
    assert run(asked) == 0
    monkeypatch.undo()
    monkeypatch.setenv("EDGECXR_CACHE", str(pictures.parent / "cache"))
    capsys.readouterr()
    assert run([*asked, "--fresh"]) == 0
    captured = capsys.readouterr()
    assert "going on" not in captured.err
    assert "24 of 24, done" in captured.err


def test_scores_that_are_not_the_hosts_are_a_mismatch(bundle, device, capsys, monkeypatch) -> None:
    real = Device.classify

    def off_by_one(self: Device, image, *, warmup: int = 0) -> Inference:
        found = real(self, image, warmup=warmup)
        scores = (found.scores.astype(int) ^ 1).astype(np.int8)
        return Inference(scores, found.ticks, found.runs, found.image_crc)

    monkeypatch.setattr(Device, "classify", off_by_one)
    assert run(["bench", str(bundle.folder), "--device", device, "--fresh", "--json"]) == 5
    captured = capsys.readouterr()
    assert row_of(captured.out).bit_exact_with_host == 0
    assert "found 100.0 % of the images with others, by up to 0.0039" in captured.err


def test_firmware_of_another_model_is_found_before_anything_is_measured(
    device, tiny_models, tmp_path, capsys
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "int8.tflite").write_bytes((tiny_models / "int8.tflite").read_bytes() + b"\0")
    other = write_bundle(tmp_path / "other", models)
    assert run(["bench", str(other.folder), "--device", device]) == 5
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"expected {device} to run other/int8.tflite" in captured.err


def test_firmware_of_another_precision_is_a_mismatch(bundle, device, capsys) -> None:
    asked = ["bench", str(bundle.folder), "--device", device, "--precision", "float32"]
    assert run(asked) == 5
    assert f"expected float32 firmware on {device}, found int8" in capsys.readouterr().err


def test_an_unplugged_device_is_exit_3_before_the_host_works(bundle, capsys) -> None:
    asked = ["bench", str(bundle.folder), "--device", "host", "--device", "/dev/none", "--json"]
    assert run(asked) == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out)["exit_code"] == 3
    assert "litert" not in captured.err


def test_the_emulator_runs_both_precisions(bundle, capsys) -> None:
    assert run(["bench", str(bundle.folder), "--device", "emulator:host", "--json"]) == 0
    rows = BenchResult.model_validate_json(capsys.readouterr().out).rows
    assert [row.precision for row in rows] == ["int8", "float32"]
    assert rows[0].bit_exact_with_host == 1
    assert rows[1].max_score_difference is not None
    assert rows[1].max_score_difference < 1e-5


def test_a_precision_that_does_not_fit_is_left_out_unless_asked_for(
    bundle, capsys, monkeypatch
) -> None:
    import edgecxr.deploy.build as module

    real = module.build

    def small(bundle: Bundle, board: str, *, precision, folder: Path):
        if precision == "float32":
            raise FlashError("it is too big")
        return real(bundle, board, precision=precision, folder=folder)

    monkeypatch.setattr(module, "build", small)
    asked = ["bench", str(bundle.folder), "--device", "emulator:host", "--json"]
    assert run(asked) == 0
    captured = capsys.readouterr()
    assert row_of(captured.out).precision == "int8"
    assert "Left out: it is too big" in captured.err
    assert run([*asked, "--precision", "float32"]) == 4


def test_names_are_resolved(monkeypatch) -> None:
    assert devices.resolve(None, None) == ["host"]
    assert devices.resolve(None, "/dev/ttyACM7") == ["/dev/ttyACM7"]
    assert devices.resolve(["host", "serial", "host"], "/dev/ttyACM7") == ["host", "/dev/ttyACM7"]
    two = [Port("/dev/ttyACM0", 0x2341, 0x805A), Port("/dev/ttyACM1", 0x2E8A, 0x000A)]
    monkeypatch.setattr("edgecxr.core.ports.attached_ports", lambda: two)
    with pytest.raises(DeviceError, match=r"found 2: .*choose with --port"):
        devices.resolve(["serial"], None)


@pytest.mark.parametrize("board", ["nano33", "nonsense"])
def test_a_board_without_emulator_is_a_wrong_command_line(board: str) -> None:
    with pytest.raises(UsageError, match=board):
        devices.resolve([f"emulator:{board}"], None)


def test_a_picture_is_classified_on_the_device_and_the_host_agrees(
    bundle, device, picture, capsys
) -> None:
    asked = ["classify", str(picture), "--model", str(bundle.folder)]
    assert run([*asked, "--json"]) == 0
    on_host = json.loads(capsys.readouterr().out)
    assert run([*asked, "--device", device, "--json"]) == 0
    on_device = json.loads(capsys.readouterr().out)
    assert "Not a medical device" in on_device["notice"]
    (ours,), (theirs,) = on_host["results"], on_device["results"]
    assert ours["agrees_with_host"] is None
    assert theirs["agrees_with_host"] is True
    assert theirs["label"] == ours["label"] == max(ours["scores"], key=ours["scores"].get)
    assert set(theirs["scores"]) == {"a", "b", "c"}
    assert theirs["latency_ms"] >= 0


@pytest.mark.parametrize("resize", ["squash", "fit-shortest", "fit-longest", "reflect-pad"])
def test_a_device_receives_the_pixels_of_the_preprocessing(
    resize, device, tiny_models, tmp_path, capsys, monkeypatch
) -> None:
    """Whatever the steps are: the host does them, and the board sees what the host sees."""
    steps = Preprocessing.of(resize, ["crop-border", "clahe", "gaussian-3x3"])
    other = write_bundle(tmp_path / "other", tiny_models).with_manifest(preprocessing=steps)
    picture = tmp_path / "wide.png"
    Image.fromarray(np.pad(blocky_images(2).reshape(192, 96).T, 9)).save(picture)
    real, received = Device.classify, []

    def watched(self: Device, image, *, warmup: int = 0) -> Inference:
        received.append(image.copy())
        return real(self, image, warmup=warmup)

    monkeypatch.setattr(Device, "classify", watched)
    asked = ["classify", str(picture), "--model", str(other.folder), "--json"]
    assert run([*asked, "--device", device]) == 0
    (on_device,) = json.loads(capsys.readouterr().out)["results"]
    assert np.array_equal(received[0], steps.load(picture))
    assert not np.array_equal(received[0], Preprocessing().load(picture))
    assert run(asked) == 0
    (on_host,) = json.loads(capsys.readouterr().out)["results"]
    assert on_device["bit_exact_with_host"] is True
    assert on_device["scores"] == on_host["scores"]


def test_a_picture_is_shown_with_bars(bundle, device, picture, capsys) -> None:
    asked = ["classify", str(picture), "--model", str(bundle.folder), "--device", device]
    assert run(asked) == 0
    out = capsys.readouterr().out
    assert out.startswith("For research and teaching. Not a medical device. Trained on synthetic")
    assert out.count("█") in range(22, 27)
    assert "this host agrees" in out


def test_a_bad_picture_is_named_and_the_others_go_on(bundle, picture, tmp_path, capsys) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    asked = ["classify", str(bad), str(tmp_path / "none.png"), str(picture)]
    assert run([*asked, "--model", str(bundle.folder), "--json"]) == 1
    captured = capsys.readouterr()
    results = json.loads(captured.out)["results"]
    assert [result["label"] is None for result in results] == [True, True, False]
    assert "bad.png is not a usable image" in results[0]["error"]
    assert captured.err.count("\n") == 2


def test_a_device_that_disagrees_is_exit_5(bundle, device, picture, capsys, monkeypatch) -> None:
    real = Device.classify

    def upside_down(self: Device, image, *, warmup: int = 0) -> Inference:
        found = real(self, image, warmup=warmup)
        scores = (-1 - found.scores.astype(int)).astype(np.int8)
        return Inference(scores, found.ticks, found.runs, found.image_crc)

    monkeypatch.setattr(Device, "classify", upside_down)
    asked = ["classify", str(picture), "--model", str(bundle.folder), "--device", device]
    assert run(asked) == 5
    assert "this host DISAGREES" in capsys.readouterr().out


def test_what_lands_in_a_folder_is_classified(
    bundle, picture, tmp_path, capsys, monkeypatch
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    steps = iter([lambda: picture.rename(folder / "landed.png"), lambda: None])

    def look(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr("edgecxr.cli.classify.time.sleep", look)
    asked = ["classify", "--watch", str(folder), "--model", str(bundle.folder), "--json"]
    assert run(asked) == 130
    first = capsys.readouterr().out.splitlines()[0]
    assert json.loads(first)["file"].endswith("landed.png")


def test_nothing_to_classify_is_a_wrong_command_line(capsys) -> None:
    assert run(["classify"]) == 2
    assert "name an image file" in capsys.readouterr().err


def test_the_demo_of_a_device_over_a_unix_socket_is_the_hosts(bundle, tmp_path, capsys) -> None:
    image = build(bundle, HOST, folder=tmp_path)
    place = tmp_path / "line"
    asked = ["classify", "--demo", "--model", str(bundle.folder), "--json"]
    with subprocess.Popen([image.path, "--unix", place], stdout=subprocess.PIPE) as firmware:
        try:
            assert firmware.stdout is not None
            name = firmware.stdout.readline().decode().strip()
            assert run([*asked, "--device", name]) == 0
            shown = ClassifyResult.model_validate_json(capsys.readouterr().out)
        finally:
            firmware.terminate()
    assert firmware.returncode == 0
    assert not place.exists()
    assert run(asked) == 0
    here = ClassifyResult.model_validate_json(capsys.readouterr().out)
    assert "synthetic" in shown.notice
    assert [one.file for one in shown.results] == [one.file for one in here.results]
    assert [one.scores for one in shown.results] == [one.scores for one in here.results]
    assert all(one.bit_exact_with_host for one in shown.results)
    assert [one.agrees_with_host for one in here.results] == [None] * 3


def test_a_demo_image_that_this_host_does_not_know_is_not_compared(bundle, device) -> None:
    opened = Device(open_line(device))
    known = OnDevice(opened, bundle.path("int8"))
    other = {name: np.zeros((96, 96), np.uint8) for name, _ in known.demo({})}
    assert len(other) == 3
    answers = [answer for _, answer in known.demo(other)]
    assert [(answer.agrees, answer.bit_exact) for answer in answers] == [(None, None)] * 3
