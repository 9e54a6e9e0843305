# SPDX-License-Identifier: Apache-2.0
"""The instruction counts of benchmarks/results/engine.json hold, layer by layer.

They are exact and repeat on every machine with the same compiler, so a rise is a regression. With
another compiler only the goals are checked.
After a change that is meant: ``python benchmarks/engine/run.py``.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.engine.measure import M4, measure
from benchmarks.engine.run import ROOT, image, row

pytestmark = pytest.mark.heavy

RESULTS = ROOT / "benchmarks" / "results" / "engine.json"
RISE = 1.01
GOALS = {"instructions": 8_800_000, "ram_bytes": 14 * 1024, "code_bytes": 10_000}


def recorded(kernels: str, precision: str) -> dict[str, Any]:
    rows = json.loads(RESULTS.read_text())["rows"]
    return next(r for r in rows if (r["kernels"], r["precision"]) == (kernels, precision))


@pytest.fixture(scope="module")
def now(cxr3: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cost = measure(M4, cxr3, image(), tmp_path_factory.mktemp("cxr3"))
    return row(M4, "int8", "cxr3", cost)


@pytest.fixture(scope="module")
def then(now: dict[str, Any]) -> dict[str, Any]:
    found = recorded("dsp", "int8")
    if found["compiler"] != now["compiler"]:
        pytest.skip(f"counted with {found['compiler']}, this is {now['compiler']}")
    return found


def test_no_layer_takes_more_instructions(now: dict[str, Any], then: dict[str, Any]) -> None:
    assert [entry["name"] for entry in now["layers"]] == [e["name"] for e in then["layers"]]
    risen = [
        f"{new['name']}: {old['instructions']} -> {new['instructions']}"
        for new, old in zip(now["layers"], then["layers"], strict=True)
        if new["instructions"] > old["instructions"] * RISE
    ]
    assert not risen, "; ".join(risen)


@pytest.mark.parametrize("figure", ["instructions", "ram_bytes", "code_bytes", "flash_bytes"])
def test_the_whole_costs_no_more(now: dict[str, Any], then: dict[str, Any], figure: str) -> None:
    assert now[figure] <= then[figure] * RISE


@pytest.mark.parametrize("figure", GOALS)
def test_the_goals_are_met(now: dict[str, Any], figure: str) -> None:
    assert now[figure] <= GOALS[figure]
