# SPDX-License-Identifier: Apache-2.0
"""data → train → quantize → evaluate → export → bench, by the commands that a user types."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.core.bundle import Bundle
from edgecxr.core.interpreter import open_interpreter
from tests.pipeline.conftest import SMALL, TRAIN, Outcome, edgecxr

pytestmark = pytest.mark.pipeline


def test_train_writes_a_bundle_and_says_little(trained: tuple[Path, Outcome]) -> None:
    folder, outcome = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {"manifest.json", "model.keras", "learning_curve.csv", "learning_curve.png"}
    assert outcome.out.count("\n") == 1
    for noise in ("oneDNN", "absl", "WARNING", "I0000", "UserWarning", "cuda"):
        assert noise not in outcome.err
    assert "SYNTHETIC" in outcome.err
    assert not folder.with_name("tiny.training").exists()


def test_the_learning_curve_has_a_row_for_each_epoch(trained: tuple[Path, Outcome]) -> None:
    rows = list(csv.DictReader((trained[0] / "learning_curve.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    with Image.open(trained[0] / "learning_curve.png") as picture:
        assert picture.size[0] > 500


def test_the_manifest_tells_how_the_model_came_about(trained: tuple[Path, Outcome]) -> None:
    manifest = Bundle.open(trained[0]).manifest
    assert manifest.labels == ("bilateral_peripheral", "focal_lobar", "normal")
    assert manifest.synthetic_data
    assert manifest.training.split.images == {"train": 54, "val": 18, "test": 30}
    assert manifest.training.settings["width_multiplier"] == 0.1
    assert manifest.training.epochs_run == 3


def test_quantize_gives_the_input_quantization_that_boards_rely_on(
    quantized: tuple[Path, Outcome],
) -> None:
    bundle = Bundle.open(quantized[0])
    int8 = open_interpreter(bundle.path("int8"), kernels="reference")
    assert (int8.input.scale, int8.input.zero_point) == (1 / 128, 0)
    assert int8.output.dtype == np.int8
    record = bundle.manifest.quantization
    assert record is not None
    assert (record.representative_images, record.representative_seed) == (30, 1)
    assert "absl" not in quantized[1].err
    assert "validation images" in quantized[1].out


def test_float32_tflite_computes_what_keras_does(
    quantized: tuple[Path, Outcome], phantoms: Path
) -> None:
    import keras

    bundle = Bundle.open(quantized[0])
    paths = sorted(phantoms.glob("test/*/*.png"))[::5]
    images = np.stack([bundle.manifest.preprocessing.load(path) for path in paths])
    model = keras.saving.load_model(bundle.path("keras"), compile=False)
    expected = model.predict((images[..., None].astype(np.float32) - 128) / 128, verbose=0)
    found = open_interpreter(bundle.path("float32")).scores(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_quantize_again_needs_force(quantized: tuple[Path, Outcome], phantoms: Path) -> None:
    again = edgecxr("quantize", quantized[0], "--data", phantoms)
    assert again.exit_code == 1
    assert "is quantized already; pass --force" in again.err


def test_quantize_on_other_classes_is_refused_and_changes_nothing(
    quantized: tuple[Path, Outcome], tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in quantized[0].iterdir()}
    for label in ("cat", "dog"):
        for i in range(8):
            path = tmp_path / "train" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((64, 64), 20 * i + ord(label[0]) % 20, np.uint8)).save(path)
    outcome = edgecxr(
        "quantize", quantized[0], "--data", tmp_path, "--force", "--representative", "4"
    )
    assert outcome.exit_code == 1
    assert "found cat, dog" in outcome.err
    assert before == {path.name: path.read_bytes() for path in quantized[0].iterdir()}


def test_evaluate_agrees_with_counting_by_hand(
    quantized: tuple[Path, Outcome], phantoms: Path
) -> None:
    outcome = edgecxr("evaluate", quantized[0], "--data", phantoms, "--json")
    assert outcome.exit_code == 0, outcome.err
    answer = json.loads(outcome.out)
    bundle = Bundle.open(quantized[0])
    int8 = open_interpreter(bundle.path("int8"), kernels="reference")
    right = total = 0
    for path in sorted(phantoms.glob("test/*/*.png")):
        called = int8.scores(bundle.manifest.preprocessing.load(path)[None]).argmax()
        right += bundle.manifest.labels[called] == path.parent.name
        total += 1
    assert answer["images"] == total == 30
    assert answer["int8"]["accuracy"] == pytest.approx(right / total)
    assert sum(map(sum, answer["int8"]["confusion"])) == total


def test_evaluate_prints_tables_and_a_verdict(
    quantized: tuple[Path, Outcome], phantoms: Path
) -> None:
    outcome = edgecxr("evaluate", quantized[0], "--data", phantoms, "--split", "val")
    assert outcome.exit_code == 0, outcome.err
    assert "SYNTHETIC" in outcome.out
    assert "on 18 images of 'val'" in outcome.out
    assert "McNemar" in outcome.out
    assert "calibration error, with the temperature" in outcome.out
    assert outcome.out.splitlines()[-1].startswith("The val split of these images was read ")


def test_record_puts_the_figures_into_the_manifest(
    quantized: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(quantized[0], tmp_path / "m")
    outcome = edgecxr("evaluate", tmp_path / "m", "--data", phantoms, "--record", "--json")
    recorded = Bundle.open(tmp_path / "m").manifest.metrics["test"]
    assert recorded.int8.accuracy == json.loads(outcome.out)["int8"]["accuracy"]


def test_quantize_chooses_when_to_be_uncertain(quantized: tuple[Path, Outcome]) -> None:
    manifest = Bundle.open(quantized[0]).manifest
    assert manifest.decision is not None
    assert manifest.decision.images == manifest.training.split.images["val"] == 18
    assert "uncertain if the top score is below" in quantized[1].out


def test_calibrate_chooses_anew(
    quantized: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(quantized[0], tmp_path / "m")
    asked = ("calibrate", tmp_path / "m", "--data", phantoms, "--coverage", "0.5", "--json")
    outcome = edgecxr(*asked)
    assert outcome.exit_code == 0, outcome.err
    before, after = (Bundle.open(m).manifest.decision for m in (quantized[0], tmp_path / "m"))
    assert before is not None
    assert after is not None
    assert json.loads(outcome.out)["coverage"] == after.coverage == 0.5
    assert after.int8.threshold >= before.int8.threshold
    assert after.int8.temperature == before.int8.temperature


def test_every_reading_of_the_test_split_is_counted(
    quantized: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(quantized[0], tmp_path / "m")
    before = Bundle.open(tmp_path / "m").reads_of("test", fingerprint(tmp_path / "m"))
    asked = ("evaluate", tmp_path / "m", "--data", phantoms)
    first = edgecxr(*asked, "--record", "--json")
    again = edgecxr(*asked)
    assert json.loads(first.out)["reads"] == before + 1
    assert f"was read {before + 2} times" in again.out.splitlines()[-1]
    assert Bundle.open(tmp_path / "m").reads_of("test", fingerprint(tmp_path / "m")) == before + 2


def fingerprint(folder: Path) -> str:
    return Bundle.open(folder).manifest.training.dataset_fingerprint


def test_evaluate_on_other_classes_is_refused(
    quantized: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantoms, tmp_path / "other")
    for split in ("train", "test"):
        (tmp_path / "other" / split / "normal").rename(tmp_path / "other" / split / "healthy")
    outcome = edgecxr("evaluate", quantized[0], "--data", tmp_path / "other")
    assert outcome.exit_code == 1
    assert outcome.err.splitlines()[-1].startswith("edgecxr: expected the model's classes")


def test_export_is_deterministic(quantized: tuple[Path, Outcome], tmp_path: Path) -> None:
    for name in ("a", "b"):
        outcome = edgecxr("export", quantized[0], "--format", "tflm", "--out", tmp_path / name)
        assert outcome.exit_code == 0, outcome.err
    first = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    assert first == {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()}
    sha = Bundle.open(quantized[0]).manifest.files["int8"].sha256
    assert any(sha.encode() in content for content in first.values())


def test_bench_measures_both_precisions(quantized: tuple[Path, Outcome], phantoms: Path) -> None:
    outcome = edgecxr(
        "bench", quantized[0], "--device", "host", "--data", phantoms, "--runs", "20", "--json"
    )
    assert outcome.exit_code == 0, outcome.err
    rows = json.loads(outcome.out)["rows"]
    assert {(row["runtime"], row["precision"]) for row in rows} >= {
        ("litert", "int8"),
        ("litert", "float32"),
        ("litert-reference", "int8"),
        ("tflm", "int8"),
    }
    by_runtime = {row["runtime"]: row for row in rows if row["precision"] == "int8"}
    assert by_runtime["tflm"]["agreement_with_host"] == 1.0
    assert by_runtime["tflm"]["arena_bytes"] > 10_000
    for row in rows:
        assert row["latency_ms"]["min"] <= row["latency_ms"]["p50"] <= row["latency_ms"]["max"]
        assert row["images"] == 30


def test_boards_say_what_is_short(quantized: tuple[Path, Outcome]) -> None:
    outcome = edgecxr("boards", quantized[0])
    assert outcome.exit_code == 0, outcome.err
    assert "nano33" in outcome.out


def test_warm_start_takes_the_weights(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    cold = Path(trained[0])
    outcome = edgecxr(
        "train", phantoms, "--out", tmp_path / "warm", "--init", cold, *TRAIN,
        "--epochs", "1", "--warmup", "0", "--learning-rate", "1e-9", "--schedule", "constant",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.err
    import keras

    first = keras.saving.load_model(cold / "model.keras", compile=False)
    second = keras.saving.load_model(tmp_path / "warm" / "model.keras", compile=False)
    for a, b in zip(first.trainable_weights, second.trainable_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    manifest = Bundle.open(cold).manifest
    learnt = Bundle.open(tmp_path / "warm").manifest.training
    assert learnt.initialised_from == "tiny"
    (parent,) = learnt.parents
    assert (parent.role, parent.name, parent.labels) == ("init", "tiny", manifest.labels)
    assert parent.model_sha256 == manifest.files["keras"].sha256
    assert parent.training == manifest.training


def test_teachers_are_heard_and_recorded(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    taught = edgecxr(
        "train", phantoms, "--out", tmp_path / "taught", *SMALL, "--epochs", "1",
        "--teacher", trained[0], "--teacher", trained[0], "--temperature", "2",
    )  # fmt: skip
    assert taught.exit_code == 0, taught.err
    training = Bundle.open(tmp_path / "taught").manifest.training
    assert [parent.role for parent in training.parents] == ["teacher", "teacher"]
    assert training.settings["temperature"] == 2
    shutil.copytree(phantoms, tmp_path / "other")
    for split in ("train", "test"):
        (tmp_path / "other" / split / "normal").rename(tmp_path / "other" / split / "healthy")
    refused = edgecxr(
        "train", tmp_path / "other", "--out", tmp_path / "m", *SMALL, "--teacher", trained[0]
    )
    assert refused.exit_code == 2
    assert "has other classes than the model to train" in refused.err
