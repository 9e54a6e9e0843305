# SPDX-License-Identifier: Apache-2.0
"""What is left of a trial, read from the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecxr.core.metrics import Evaluation, compare
from edgecxr.sweep.trial import (
    Progress,
    Trial,
    is_done,
    progress_of,
    result_of,
    run_trial,
)
from tests.bundles import write_bundle


def trial(folder: Path, **changes: object) -> Trial:
    return Trial.model_validate(
        {"name": "seed=1", "setting": "", "seed": 1, "data": folder / "none", **changes}
    )


def evaluated(split: str) -> Evaluation:
    scores = np.eye(3, dtype=np.float32)
    truth = np.arange(3)
    return compare(
        scores, scores, truth, ("a", "b", "c"), split=split, fingerprint="f", interpreter="i"
    )


def test_a_trial_that_has_not_begun_waits(tmp_path: Path) -> None:
    assert progress_of(trial(tmp_path), tmp_path) == Progress(phase="waiting")
    assert not is_done(trial(tmp_path), tmp_path)


def test_training_is_seen_in_the_checkpoint_that_train_writes(tmp_path: Path) -> None:
    from edgecxr.training.checkpoint import Epoch, RunState
    from edgecxr.training.settings import TrainingSettings
    from edgecxr.training.train import work_folder

    row = dict.fromkeys(Epoch.model_fields, 0.5) | {"epoch": 1, "val_accuracy": 0.75}
    state = RunState(
        settings=TrainingSettings(epochs=7),
        dataset_fingerprint="f",
        initial_weights=None,
        history=[Epoch.model_validate(row)],
    )
    folder = work_folder(tmp_path / "seed=1")
    folder.mkdir()
    (folder / "state.json").write_text(state.model_dump_json())
    assert progress_of(trial(tmp_path), tmp_path) == Progress(
        phase="training", epoch=1, epochs=7, validation_accuracy=0.75
    )


def test_each_step_is_done_once(tmp_path: Path, tiny_models: Path) -> None:
    one, tested = trial(tmp_path), trial(tmp_path, test=True)
    bundle = write_bundle(tmp_path / "seed=1", tiny_models)
    assert progress_of(one, tmp_path).phase == "evaluating"
    bundle = bundle.with_manifest(metrics={"val": evaluated("val")})
    assert is_done(one, tmp_path)
    assert progress_of(one, tmp_path).phase == "done"
    assert not is_done(tested, tmp_path)
    bundle.with_manifest(metrics={"val": evaluated("val"), "test": evaluated("test")})
    assert is_done(tested, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "seed=1").iterdir()}
    result = run_trial(tested, tmp_path, tmp_path)
    assert (result.error, result.test) == (None, evaluated("test"))
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "seed=1").iterdir()}
    assert not (tmp_path / "seed=1.log").exists()


def test_a_bundle_that_is_not_quantized_is_seen(tmp_path: Path, tiny_models: Path) -> None:
    bundle = write_bundle(tmp_path / "seed=1", tiny_models)
    files = {kind: file for kind, file in bundle.manifest.files.items() if kind != "int8"}
    manifest = bundle.manifest.model_copy(update={"files": files})
    (tmp_path / "seed=1" / "manifest.json").write_text(manifest.model_dump_json())
    assert progress_of(trial(tmp_path), tmp_path).phase == "quantizing"
    assert result_of(trial(tmp_path), tmp_path).validation is None


def test_a_wrong_option_is_the_commands_own_sentence_and_exit_2(tmp_path: Path) -> None:
    result = run_trial(trial(tmp_path, train=("--dropuot", "1")), tmp_path, tmp_path)
    assert result.exit_code == 2
    assert "No such option: --dropuot" in (result.error or "")
    log = (tmp_path / "seed=1.log").read_text()
    assert log.startswith("$ edgecxr train ")


def test_missing_images_are_the_commands_own_sentence(tmp_path: Path) -> None:
    result = run_trial(trial(tmp_path), tmp_path, tmp_path)
    assert result.exit_code == 1
    assert (result.error or "").startswith("seed=1: ")
    assert str(tmp_path / "none") in (result.error or "")


def test_a_folder_that_this_machine_does_not_see_is_named(tmp_path: Path) -> None:
    result = run_trial(trial(tmp_path), tmp_path / "away", tmp_path)
    assert f"does not see the folder {tmp_path / 'away'}" in (result.error or "")


def test_a_changed_bundle_is_not_counted_as_done(tmp_path: Path, tiny_models: Path) -> None:
    bundle = write_bundle(tmp_path / "seed=1", tiny_models)
    with bundle.path("int8").open("ab") as file:
        file.write(b"more")
    result = run_trial(trial(tmp_path), tmp_path, tmp_path)
    assert "changed after it was written" in (result.error or "")
