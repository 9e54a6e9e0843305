# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.cli import main, train
from edgecxr.cli.repeat import commands
from edgecxr.core.bundle import Bundle, Imported, Manifest
from edgecxr.core.preprocess import AFTER_RESIZE, BEFORE_RESIZE, RESIZES, Preprocessing
from edgecxr.training.architectures import ARCHITECTURES
from edgecxr.training.augment import Augmentation
from edgecxr.training.settings import TrainingSettings

MODELS = Path(__file__).resolve().parents[2] / "models"
BUNDLES = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
Parsed = list[tuple[str, Path, TrainingSettings, Any, Preprocessing]]


@pytest.fixture(scope="module")
def parsed() -> Iterator[Parsed]:
    """What each `edgecxr train` that is run would have trained with."""
    found: Parsed = []

    def take(
        data: Path, out: Path, chosen: TrainingSettings, reading: Any, *more: Any, **_: Any
    ) -> None:
        found.append((str(data), out, chosen, reading, more[3]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_train", take)
        patch.setattr(train, "_report", lambda *_: None)
        yield found


def manifest(name: str) -> Manifest:
    return Bundle.open(MODELS / name).manifest


share = st.floats(0, 0.5, allow_nan=False).map(lambda value: round(value, 6))
chosen = st.builds(
    TrainingSettings,
    architecture=st.sampled_from(sorted(ARCHITECTURES)),
    width_multiplier=st.sampled_from([0.25, 0.5, 1.0]),
    activation=st.sampled_from(["default", "relu", "prelu"]),
    head_units=st.sampled_from([0, 64]),
    freeze=st.booleans(),
    epochs=st.integers(1, 90),
    learning_rate=st.floats(1e-6, 0.1),
    schedule=st.sampled_from(["cosine", "constant", "plateau"]),
    warmup_epochs=st.sampled_from([0.0, 2.0, 2.5]),
    augmentation=st.builds(Augmentation, shift=share, flip=st.booleans(), gamma=share, erase=share),
    average_epochs=st.sampled_from([1.0, 5.0]),
    class_balance=st.sampled_from(["weights", "none"]),
    validation_share=share,
    select=st.sampled_from(["best", "last"]),
    seed=st.integers(0, 5),
    deterministic=st.booleans(),
    threads=st.integers(0, 4),
)
preprocessing = st.builds(
    lambda way, steps, size: Preprocessing.of(way.removeprefix("resize-"), steps, size, size),
    st.sampled_from(sorted(RESIZES)),
    st.lists(st.sampled_from([*BEFORE_RESIZE, *AFTER_RESIZE]), unique=True),
    st.sampled_from([96, 128]),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(chosen, preprocessing, st.sampled_from([None, r"^(p\d+)_"]))
def test_the_line_gives_the_settings_of_the_manifest(
    parsed: Parsed, wanted: TrainingSettings, steps: Preprocessing, patients: str | None
) -> None:
    made = manifest("cxr3")
    cut = made.trained.split.model_copy(update={"patients": patients})
    recorded = {"settings": wanted.model_dump(mode="json"), "split": cut}
    training = made.trained.model_copy(update={**recorded, "parents": (), "initialised_from": None})
    line = commands(made.model_copy(update={"training": training, "preprocessing": steps}))[0]
    assert main.run(shlex.split(line)[1:]) == 0
    data, out, settings_, reading, found = parsed[-1]
    assert (data, str(out), settings_, found) == ("SET", "cxr3", wanted, steps)
    assert reading.patients == patients


@pytest.mark.parametrize("name", BUNDLES)
def test_a_reference_bundle_is_repeated_with_its_settings(parsed: Parsed, name: str) -> None:
    made = manifest(name)
    *_, train_line, quantize, evaluate = commands(made)
    words = shlex.split(train_line)
    for option in ("--init", "--teacher"):  # folders that are not here
        while option in words:
            place = words.index(option)
            del words[place : place + 2]
    assert main.run(words[1:]) == 0
    # Settings that were not there yet have their defaults.
    assert parsed[-1][2] == TrainingSettings.model_validate(made.trained.settings)
    assert quantize == f"edgecxr quantize {name} --data SET"
    assert evaluate == f"edgecxr evaluate {name} --data SET"


@pytest.mark.parametrize("name", BUNDLES)
def test_what_a_bundle_learnt_from_is_made_before_it_and_once(name: str) -> None:
    trained = [shlex.split(line) for line in commands(manifest(name)) if " train " in line]
    made: list[str] = []
    for words in trained:
        used = [words[i + 1] for i, word in enumerate(words) if word in ("--init", "--teacher")]
        assert set(used) <= set(made)
        made.append(words[words.index("--out") + 1])
    assert made[-1] == name
    assert len(made) == len(set(made))
    assert len(made) > 1 or not manifest(name).trained.parents
    assert trained[-1][2] == "SET"


def test_rules_of_one_s_own_and_the_draw_are_said() -> None:
    made = manifest("cxr3")
    assert made.decision is not None
    assert made.quantization is not None
    changed = made.model_copy(
        update={
            "decision": made.decision.model_copy(update={"coverage": None, "max_error": 0.02}),
            "quantization": made.quantization.model_copy(update={"representative_images": 100}),
        }
    )
    *_, quantize, calibrate, evaluate = commands(changed, "val")
    assert quantize == "edgecxr quantize cxr3 --data SET --representative 100"
    assert calibrate == "edgecxr calibrate cxr3 --data SET --max-error 0.02"
    assert evaluate == "edgecxr evaluate cxr3 --data SET --split val"


def test_nobody_knows_how_an_imported_bundle_was_made() -> None:
    update = {"training": None, "imported": Imported(file="x.tflite", sha256="0")}
    assert commands(manifest("cxr3").model_copy(update=update)) == []
