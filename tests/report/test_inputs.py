# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.core.evidence import evidence
from edgecxr.core.result import Latency
from edgecxr.data.audit.finding import AuditReport, Finding, SetSummary
from edgecxr.errors import DataError, EdgecxrError, UsageError
from edgecxr.export.formats import FORMATS, Settings
from edgecxr.export.source import open_source
from edgecxr.report.inputs import Inputs, read_inputs
from edgecxr.report.seen import _spread, projected, thumbnails, worst_mistakes
from edgecxr.sweep.record import Summary, SweepResult
from tests.report.results import MODELS, drawn

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, content: Any) -> Path:
    path = folder / "result.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_plan_is_read_as_export_writes_it(tmp_path: Path) -> None:
    export = FORMATS["c"].render(open_source(MODELS), Settings())
    plan = read_inputs([written(tmp_path, str(export.files["plan.json"]))]).plans[0]
    assert plan.arena_bytes == export.facts["arena_bytes"]
    assert max(layer.live_bytes for layer in plan.layers) <= plan.arena_bytes


def test_the_engine_is_read_as_it_is_recorded() -> None:
    path = ROOT / "benchmarks" / "results" / "engine.json"
    rows = read_inputs([path]).engines[0].rows
    assert [row.instructions for row in rows] == [
        row["instructions"] for row in json.loads(path.read_text())["rows"]
    ]


def test_audits_sweeps_and_evaluations_are_read_as_they_are_printed(tmp_path: Path) -> None:
    one = SetSummary(
        name="s", source="s", images=3, unreadable=0, splits={}, labels={}, synthetic=False
    )
    finding = Finding(kind="k", severity="high", sets=("s",), what="w", why="y", do="d")
    audit = AuditReport(sets=[one], threshold=1, findings=[finding], pairs=[], seconds=1)
    found = read_inputs([written(tmp_path, audit.model_dump_json())]).audits[0]
    assert (found.findings[0].what, found.sets[0].images) == ("w", 3)
    evaluation = drawn(("a", "b", "c")).evaluation
    printed = {"model": "m", "reads": 1, **evaluation.model_dump(mode="json")}
    read_back = read_inputs([written(tmp_path, printed)]).evaluations[0]
    assert read_back.model_dump(exclude={"model"}) == evaluation.model_dump()
    assert read_back.model == "m"
    summary = Summary(setting="", seeds=(1, 2), validation=evidence([evaluation, evaluation]))
    sweep = SweepResult(trials=(), summary=(summary,), chosen="")
    read = read_inputs([written(tmp_path, sweep.model_dump_json())]).sweeps[0]
    assert read.summary[0].validation == summary.validation


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "found something else"),
        ([1], "found list"),
        ({}, "no result that a report can show"),
        ({"error": "no board", "exit_code": 3}, "no board"),
        ({"rows": [{"board": 1}]}, "rows.0.board"),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_inputs([written(tmp_path, content)])
    with pytest.raises(UsageError, match="at least one result"):
        read_inputs([])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "rows",
                    "layers",
                    "arena_bytes",
                    "findings",
                    "sets",
                    "trials",
                    "summary",
                    "int8",
                    "verdict",
                    "measured_at",
                    "error",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(json_values)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("json")
    with suppress(EdgecxrError):
        assert isinstance(read_inputs([written(folder, value)]), Inputs)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 300))
def test_a_spread_order_names_everything_once(count: int) -> None:
    assert sorted(_spread(count)) == list(range(count))


def test_thumbnails_keep_their_budget_and_begin_with_what_is_wanted() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 96, 96)).astype(np.uint8)
    few = thumbnails(noise, [7, 3], budget=40_000)
    assert sum(map(len, few.values())) <= 40_000
    assert {7, 3} <= few.keys()
    assert thumbnails(noise, [], 1_000_000).keys() == set(range(30))


def test_mistakes_come_with_the_most_confident_first() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], np.float32)
    assert worst_mistakes(scores, np.array([1, 1, 1, 1]), 2) == [0, 3]


def test_a_projection_fills_the_unit_square() -> None:
    features = drawn(("a", "b", "c")).features
    assert features is not None
    points, explained = projected(features)
    assert points.min() == 0
    assert points.max() == 1
    assert 1 >= explained[0] >= explained[1] > 0


def test_latency_has_its_quantiles() -> None:
    latency = Latency.of(np.arange(101) / 10, 3)
    assert (latency.p50, latency.p95, latency.runs) == (5.0, 9.5, 101)
    assert latency.quantiles == tuple(round(0.5 * i, 6) for i in range(21))
