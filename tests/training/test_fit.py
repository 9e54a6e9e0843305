# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgecxr.errors import DataError, TrainingError, UsageError
from edgecxr.training.architectures import Spec, build
from edgecxr.training.batches import Images
from edgecxr.training.checkpoint import Checkpoint, Epoch, RunState
from edgecxr.training.fit import fit
from edgecxr.training.settings import TrainingSettings
from edgecxr.training.tf import start_tensorflow

pytestmark = pytest.mark.heavy

SETTINGS = TrainingSettings(
    architecture="dhanapal_cnn", width_multiplier=0.05, epochs=4, batch=8, dropout=0.2,
    warmup_epochs=1, seed=3,
    average_epochs=2, mixup=0.4, augmentation={"gamma": 0.3, "blur": 0.5, "noise": 0.05},
)  # fmt: skip


def images(count: int, seed: int = 0) -> Images:
    """Dark or bright noise, 32×32: something that can be learnt in an epoch."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    noise = generator.integers(0, 128, (count, 32, 32))
    return Images((noise + 100 * labels[:, None, None]).astype(np.uint8), labels)


def begin(folder: Path, settings: TrainingSettings = SETTINGS, **how: bool) -> Checkpoint:
    state = RunState(settings=settings, dataset_fingerprint="f", initial_weights=None)
    return Checkpoint.begin(folder, state, **{"resume": False, "force": False, **how})


def run(
    checkpoint: Checkpoint, interrupt_after: int = 0, teachers: Sequence[Path] = ()
) -> list[np.ndarray]:
    """Weights after training; with ``interrupt_after`` Ctrl-C comes after so many epochs."""

    def on_epoch(row: Epoch) -> None:
        if row.epoch == interrupt_after:
            raise KeyboardInterrupt

    start_tensorflow(checkpoint.state.settings.seed)
    model = fit(images(28), images(10, seed=1), 2, checkpoint, teachers=teachers, on_epoch=on_epoch)
    return model.get_weights()


def test_a_resumed_run_ends_bit_for_bit_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    teachers = [saved_model(tmp_path / "teacher.keras", SETTINGS, classes=2)]
    straight = begin(tmp_path / "straight")
    expected = run(straight, teachers=teachers)
    with pytest.raises(KeyboardInterrupt):
        run(begin(tmp_path / "cut"), interrupt_after=2, teachers=teachers)
    resumed = begin(tmp_path / "cut", resume=True)
    assert len(resumed.state.history) == 2
    weights = run(resumed, teachers=teachers)
    for mine, theirs in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    without_time = [row.model_copy(update={"seconds": 0}) for row in resumed.state.history]
    assert without_time == [row.model_copy(update={"seconds": 0}) for row in straight.state.history]
    kept = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert kept == sorted({"state.json", resumed.state.best, resumed.state.latest})


def test_a_run_resumed_with_other_teachers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(begin(tmp_path), interrupt_after=1)
    taught = RunState(
        settings=SETTINGS, dataset_fingerprint="f", initial_weights=None, teachers=["a"]
    )
    with pytest.raises(UsageError, match="was started with other teachers; give the same ones"):
        Checkpoint.begin(tmp_path, taught, resume=True, force=False)


def test_the_kept_weights_are_the_average_of_the_last_epochs(tmp_path: Path) -> None:
    seen: list[list[np.ndarray]] = []
    settings = SETTINGS.model_copy(update={"average_epochs": 1, "select": "last"})
    for epochs in (1, 2):
        # A constant rate, so that a shorter run is the beginning of a longer one.
        short = settings.model_copy(update={"epochs": epochs, "schedule": "constant"})
        seen.append(run(begin(tmp_path / f"last-{epochs}", short)))
    averaged = short.model_copy(update={"average_epochs": 2})
    found = run(begin(tmp_path / "average", averaged))
    for mine, first, second in zip(found, *seen, strict=True):
        np.testing.assert_allclose(mine, (first + second) / 2, atol=1e-5)


def test_an_interrupted_run_is_neither_overwritten_nor_taken_up_unasked(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(begin(tmp_path / "cut"), interrupt_after=1)
    with pytest.raises(UsageError, match=r"go on with --resume, or drop it with --force"):
        begin(tmp_path / "cut")
    with pytest.raises(UsageError, match=r"was started with epochs 4; resume with the same"):
        begin(tmp_path / "cut", SETTINGS.model_copy(update={"epochs": 9}), resume=True)
    assert begin(tmp_path / "cut", force=True).state.history == []


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(TrainingError, match=r"state.json cannot be read; start over with --force"):
        begin(tmp_path, resume=True)


def test_a_state_of_another_version_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"more": 1}')
    with pytest.raises(TrainingError) as caught:
        begin(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("left", [0, 1000, -30])
def test_a_cut_checkpoint_is_named(tmp_path: Path, left: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(begin(tmp_path), interrupt_after=1)
    arrays = tmp_path / "epoch-1.npz"
    arrays.write_bytes(arrays.read_bytes()[:left])
    with pytest.raises(TrainingError, match=r"epoch-1.npz cannot be read; start over with --force"):
        run(begin(tmp_path, resume=True))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1e30, "schedule": "constant"})
    with pytest.raises(TrainingError, match=r"no longer a number in epoch 1 .*--learning-rate"):
        run(begin(tmp_path / "nan", settings))


def saved_model(path: Path, settings: TrainingSettings, classes: int) -> Path:
    spec = Spec(32, 32, 1, classes, settings.width_multiplier)
    build(settings.architecture, spec).save(path)
    return path


def test_a_warm_start_takes_all_but_a_head_of_other_classes(tmp_path: Path) -> None:
    initial = saved_model(tmp_path / "init.keras", SETTINGS, classes=3)
    still = SETTINGS.model_copy(update={"learning_rate": 1e-12, "epochs": 1, "weight_decay": 0})
    checkpoint = begin(tmp_path / "warm", still)
    model = fit(
        images(28), images(10, seed=1), 2, checkpoint, initial=initial, on_epoch=lambda _: None
    )
    import keras

    kernels = [w for w in model.trainable_weights if "kernel" in w.path]
    given = [w for w in keras.saving.load_model(initial).trainable_weights if "kernel" in w.path]
    for mine, theirs in zip(kernels[:-1], given[:-1], strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), atol=1e-6)


def test_a_warm_start_can_leave_the_head(tmp_path: Path) -> None:
    import keras

    initial = saved_model(tmp_path / "init.keras", SETTINGS, classes=2)
    still = SETTINGS.model_copy(update={"learning_rate": 1e-12, "epochs": 1, "weight_decay": 0})
    given = keras.saving.load_model(initial).get_layer("scores").get_weights()[0]
    for keep in (True, False):
        model = fit(
            images(28), images(10, seed=1), 2, begin(tmp_path / str(keep), still),
            initial=initial, keep_head=keep, on_epoch=lambda _: None,
        )  # fmt: skip
        found = model.get_layer("scores").get_weights()[0]
        assert np.allclose(found, given, atol=1e-6) == keep


def test_a_warm_start_from_another_width_is_refused(tmp_path: Path) -> None:
    wider = SETTINGS.model_copy(update={"width_multiplier": 0.2})
    initial = saved_model(tmp_path / "init.keras", wider, classes=2)
    with pytest.raises(TrainingError, match="same architecture and width"):
        fit(
            images(28), images(10), 2, begin(tmp_path / "x"), initial=initial,
            on_epoch=lambda _: None,
        )  # fmt: skip


def test_early_stopping_counts_from_the_best_epoch(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"learning_rate": 1e-9, "schedule": "constant", "early_stopping": 1, "epochs": 30}
    )
    checkpoint = begin(tmp_path / "stop", settings)
    run(checkpoint)
    state = checkpoint.state
    assert len(state.history) == state.best_epoch + 1 < 30


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    none = Images(np.zeros((0, 32, 32), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="expected validation images, found none"):
        fit(images(8), none, 2, begin(tmp_path / "x"), on_epoch=lambda _: None)


def test_settings_out_of_range_name_the_option() -> None:
    with pytest.raises(UsageError, match=r"--learning-rate -1.0: "):
        TrainingSettings.checked(learning_rate=-1.0)
    with pytest.raises(UsageError, match=r"--rotation 400"):
        TrainingSettings.checked(augmentation={"rotation": 400})
