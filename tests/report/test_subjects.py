# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.report.inputs import Compared, Engine, EngineRow, Inputs, MemoryPlan
from edgecxr.report.subjects import UNNAMED, subjects
from tests.core.test_result import FULL, result
from tests.report.results import drawn, results

ROW = EngineRow(
    board="b",
    core="c",
    precision="int8",
    model="one",
    macs=1,
    instructions=1,
    ram_bytes=1,
    stack_bytes=1,
    code_bytes=1,
    flash_bytes=1,
)
PLAN = MemoryPlan(
    arena_bytes=1, plain_arena_bytes=1, constant_bytes=1, macs=1, streamed_layers=0, layers=()
)


@pytest.fixture
def two(tmp_path: Path) -> Inputs:
    """Bundles of the same model files, of classes a, b and c, and of x, y and z."""
    made = [results(tmp_path / "one", ("a", "b", "c")), results(tmp_path / "two", ("x", "y", "z"))]
    return Inputs(cards=[each.cards[0] for each in made])


def compared(labels: tuple[str, ...], model: str) -> Compared:
    return Compared(**drawn(labels).evaluation.model_dump(), model=model)


def test_an_evaluation_goes_to_its_folder_or_its_classes(two: Inputs) -> None:
    folder = two.cards[1].bundle.folder
    two.evaluations = [compared(("a", "b", "c"), str(folder)), compared(("a", "b", "c"), "gone")]
    first, second = subjects(two)
    assert [len(each.evaluations) for each in (first, second)] == [1, 1]
    assert second.evaluation == two.evaluations[0]
    two.evaluations = [compared(("k", "l", "m"), "models/other")]
    assert [each.name for each in subjects(two)][2:] == ["other"]
    assert subjects(two)[0].evaluation == two.cards[0].bundle.manifest.metrics["test"]


def test_an_evaluation_of_a_moved_bundle_goes_by_its_name_and_is_never_guessed(
    tmp_path: Path,
) -> None:
    labels = ("a", "b", "c")
    made = [results(tmp_path / name, labels) for name in ("x", "y")]
    given = Inputs(cards=[each.cards[0] for each in made])
    given.evaluations = [compared(labels, "elsewhere/y"), compared(labels, "elsewhere/z")]
    found = subjects(given)
    assert [(each.name, len(each.evaluations)) for each in found] == [("x", 0), ("y", 1), ("z", 1)]
    assert found[2].card is None


def test_a_measurement_goes_to_the_model_file_that_was_measured(two: Inputs) -> None:
    other = result(FULL)
    measured = FULL.model_copy(update={"model_sha256": sums(two)})
    two.benches = [result(measured), other]
    found = subjects(two)
    assert [len(each.benches) for each in found] == [1, 0, 1]
    assert found[2].name == other.model


def test_plans_and_counts_of_other_models_are_not_this_one_s(two: Inputs) -> None:
    exact, old = {"model_sha256": sums(two)}, {"labels": ("x", "y", "z")}
    two.plans = [PLAN.model_copy(update=update) for update in (exact, old, {})]
    own = two.cards[0].bundle.manifest.name
    rows = tuple(ROW.model_copy(update={"model": name}) for name in (own, "?"))
    two.engines = [Engine(rows=rows)]
    found = subjects(two)
    assert [len(each.plans) for each in found] == [1, 1, 1]
    assert [len(each.rows) for each in found] == [1, 0, 0]


def sums(given: Inputs) -> str:
    return given.cards[0].bundle.manifest.files["int8"].sha256


def test_results_without_a_bundle_are_shown_by_name() -> None:
    assert [each.name for each in subjects(Inputs())] == [UNNAMED]
    found = subjects(Inputs(benches=[result(FULL)], engines=[Engine(rows=(ROW,))]))
    assert [(each.name, each.card) for each in found] == [(result(FULL).model, None), ("one", None)]
