# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgecxr.export.compiled.build import build_model
from edgecxr.export.compiled.compile import Compilation, compile_graph
from edgecxr.export.compiled.emit import emit
from edgecxr.export.compiled.picture import picture
from edgecxr.export.compiled.plan import make_plan
from edgecxr.export.compiled.render import plan_facts
from edgecxr.export.compiled.schedule import PUSH, streamable
from edgecxr.export.reader import read_tflite

pytestmark = pytest.mark.heavy

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="module")
def int8() -> Compilation:
    return compile_graph(read_tflite((MODELS / "cxr3" / "int8.tflite").read_bytes()))


@pytest.fixture(scope="module")
def float32() -> Compilation:
    return compile_graph(read_tflite((MODELS / "cxr3" / "float32.tflite").read_bytes()))


def test_the_reference_model_fits_its_ram_goals(int8: Compilation, float32: Compilation) -> None:
    assert int8.plan.total <= 11_776  # far below 14 KiB with stack and the caller's row
    assert float32.plan.total <= 48 * 1024
    assert int8.plain.total == 55_360


def test_the_first_layers_run_while_the_image_arrives(int8: Compilation) -> None:
    plan = int8.plan
    assert plan.depth >= 8
    input_ring = plan.ring(plan.model.input)
    assert input_ring.slots <= 3


def test_every_layer_makes_every_row_once(int8: Compilation) -> None:
    made: dict[int, int] = {}
    for step in int8.plan.timeline.steps:
        height = 1
        if step.layer != PUSH and step.row is None:
            height = int8.plan.model.layers[step.layer].output.height
        made[step.layer] = made.get(step.layer, 0) + height
    for index, layer in enumerate(int8.plan.model.layers):
        assert made[index] == layer.output.height, layer.name


def test_the_planner_takes_the_best_depth() -> None:
    model = build_model(read_tflite((MODELS / "cxr3" / "int8.tflite").read_bytes()))
    best = make_plan(model).total
    for depth in (0, 4, streamable(model)):
        assert best <= make_plan(model, depth).total


def test_no_step_holds_more_than_the_arena(int8: Compilation) -> None:
    plan = int8.plan
    for step in range(len(plan.timeline.steps)):
        assert plan.occupied(step) <= plan.total
    assert max(plan.occupied(i) for i in range(len(plan.timeline.steps))) > 0.9 * plan.total


def test_the_same_model_gives_the_same_bytes(int8: Compilation) -> None:
    again = compile_graph(read_tflite((MODELS / "cxr3" / "int8.tflite").read_bytes()))
    assert emit(again.plan, "m") == emit(int8.plan, "m")
    assert picture(again.plan, "m") == picture(int8.plan, "m")


def test_facts_name_every_layer(int8: Compilation) -> None:
    facts = plan_facts(int8)
    assert facts["arena_bytes"] == int8.plan.total
    assert sum(layer["macs"] for layer in facts["layers"]) == facts["macs"]
    assert [s["first"] for s in facts["segments"]][1:] == [
        s["last"] + 1 for s in facts["segments"]
    ][:-1]


def test_the_picture_is_an_image_with_every_layers_scratch(int8: Compilation) -> None:
    root = ET.fromstring(picture(int8.plan, "a < b & c"))
    titles = {e.text for e in root.iter("{http://www.w3.org/2000/svg}title")}
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert any("scratch of" in (title or "") for title in titles)
