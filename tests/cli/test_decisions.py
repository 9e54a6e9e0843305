# SPDX-License-Identifier: Apache-2.0
"""What a bundle's rules decide, on this host and in the real firmware."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle, QuantizationRecord
from edgecxr.core.decision import Wish, choose
from edgecxr.core.interpreter import open_interpreter
from edgecxr.core.result import BenchResult
from edgecxr.deploy.build import HOST, build
from edgecxr.deploy.emulate import emulated
from tests.bundles import write_bundle

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def decided(tiny_models: Path, tiny_images, tmp_path_factory) -> Bundle:
    """The tiny models with rules that leave a third of the tiny images uncertain."""
    bundle = write_bundle(tmp_path_factory.mktemp("decided") / "tiny", tiny_models)
    float32 = open_interpreter(bundle.path("float32"))
    int8 = open_interpreter(bundle.path("int8"), kernels="reference")
    scores = float32.scores(tiny_images), int8.scores(tiny_images)
    truth = scores[0].argmax(axis=1)
    truth[::6] = (truth[::6] + 1) % 3
    record = QuantizationRecord(
        method="post-training-int8",
        representative_images=24,
        representative_seed=1,
        input_scale=int8.input.scale,
        input_zero_point=int8.input.zero_point,
        output_scale=int8.output.scale,
        output_zero_point=int8.output.zero_point,
        validation_agreement=1,
    )
    decision = choose(*scores, truth, Wish(coverage=0.67, level=0.9), int8.output.scale)
    return bundle.with_manifest(quantization=record, decision=decision)


@pytest.fixture
def pictures(tmp_path: Path, tiny_images) -> list[str]:
    paths = [tmp_path / f"{i:02}.png" for i in range(len(tiny_images))]
    for path, image in zip(paths, tiny_images, strict=True):
        Image.fromarray(image).save(path)
    return [str(path) for path in paths]


def test_the_host_is_uncertain_of_as_many_as_was_wished(decided, pictures, capsys) -> None:
    assert run(["classify", *pictures, "--model", str(decided.folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["level"] == 0.9
    results = said["results"]
    assert sum(not each["uncertain"] for each in results) in (17, 18, 19)  # of 24, with ties
    assert all(each["label"] in each["possible"] for each in results)
    assert all(0 < each["confidence"] <= 1 for each in results)
    assert all(each["same_decision"] is None for each in results)


def test_uncertain_stands_before_the_class(decided, pictures, capsys) -> None:
    assert run(["classify", *pictures, "--model", str(decided.folder)]) == 0
    out = capsys.readouterr().out
    assert ".png: uncertain, perhaps " in out
    assert " %, calibrated; possible at 90 %: " in out


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_board_decides_as_this_host_does(decided, pictures, precision, tmp_path, capsys) -> None:
    with emulated(build(decided, HOST, precision=precision, folder=tmp_path)) as url:
        asked = ["classify", *pictures, "--model", str(decided.folder), "--device", url, "--json"]
        assert run(asked) == 0
        results = json.loads(capsys.readouterr().out)["results"]
        assert all(each["same_decision"] is True for each in results)
        assert {each["uncertain"] for each in results} == {True, False}
        assert run(["bench", str(decided.folder), "--device", url, "--json"]) == 0
        (row,) = BenchResult.model_validate_json(capsys.readouterr().out).rows
        assert row.same_decision == 1


def test_thresholds_that_changed_since_are_a_mismatch(
    decided, pictures, tmp_path, tiny_models, capsys
) -> None:
    other = write_bundle(tmp_path / "tiny", tiny_models)
    found = decided.manifest.decision
    never = found.int8.model_copy(update={"threshold": 2.0})
    other.with_manifest(
        quantization=decided.manifest.quantization,
        decision=found.model_copy(update={"int8": never}),
    )
    with emulated(build(decided, HOST, folder=tmp_path / "firmware")) as url:
        assert run(["bench", str(other.folder), "--device", url, "--fresh", "--json"]) == 5
        assert "expected" in (said := capsys.readouterr().err)
        assert "to decide as the bundle's rules do" in said
        asked = ["classify", *pictures[:12], "--model", str(other.folder), "--device", url]
        assert run(asked) == 5
        captured = capsys.readouterr()
        assert "the device DECIDES OTHERWISE" in captured.out
        assert "flash it again" in captured.err


def test_a_board_without_rules_does_not_decide(
    decided, pictures, tmp_path, tiny_models, capsys
) -> None:
    plain = write_bundle(tmp_path / "tiny", tiny_models)
    with emulated(build(plain, HOST, folder=tmp_path / "firmware")) as url:
        asked = ["classify", pictures[0], "--device", url, "--model"]
        assert run([*asked, str(plain.folder), "--json"]) == 0
        (result,) = json.loads(capsys.readouterr().out)["results"]
        assert result["confidence"] is result["uncertain"] is result["same_decision"] is None
        assert run([*asked, str(decided.folder)]) == 5


def test_a_decision_is_firm_for_every_score(decided) -> None:
    values = np.arange(-128, 128).astype(np.int8)
    rest = np.full_like(values, -128)
    for top in np.stack([values, rest, rest], axis=1):
        verdict = decided.manifest.verdict("int8", top)
        assert verdict is not None
        assert verdict.uncertain == (
            (int(top[0]) + 128) / 256 < decided.manifest.decision.int8.threshold
        )
