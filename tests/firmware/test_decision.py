# SPDX-License-Identifier: Apache-2.0
"""The board's rule against the host's: the same words for the same scores."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench.on_device import decides_alike
from edgecxr.bench.protocol import BoardDecision
from edgecxr.core.decision import Rule, decide, smallest_int8
from edgecxr.core.quant import dequantize
from tests.firmware.conftest import SOURCES, STRICT

LABELS = ("a", 'b"]', "ü\\")
STEP = 1 / 256
Decide = Callable[[bytes], list[BoardDecision]]


def program(folder: Path, *flags: str) -> Decide:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    path = folder / "decide"
    files = [*map(str, sorted(SOURCES.glob("*.c"))), str(Path(__file__).with_name("decide.c"))]
    command = ["gcc", *STRICT, "-fsanitize=address,undefined", *flags, f"-I{SOURCES}", *files]
    done = subprocess.run([*command, "-o", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    def run(records: bytes) -> list[BoardDecision]:
        done = subprocess.run([str(path)], input=records, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        said = re.findall(r"^m-decision-\[(.*)\]\r$", done.stdout.decode(), re.MULTILINE)
        return [BoardDecision.model_validate_json(text) for text in said]

    return run


def rules(rng: np.random.Generator, count: int) -> list[Rule]:
    """Of every kind: from limits below all scores to limits above all of them."""
    limits = rng.uniform(-0.1, 1.1, (count, 2))
    limits[::3] = np.rint(limits[::3] * 256) / 256
    return [Rule(temperature=1, threshold=a, included=b, step=STEP) for a, b in limits]


def test_integers_decide_as_the_host_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    chosen = rules(rng, 4000)
    raw = rng.integers(-128, 128, (len(chosen), len(LABELS))).astype(np.int8)
    raw[::5, 1] = raw[::5, 0]  # ties
    raw[::7] = rng.choice([-128, 127], (len(raw[::7]), len(LABELS)))
    records = [
        struct.pack("<2i", *(smallest_int8(x, STEP, -128) for x in (r.threshold, r.included)))
        + scores.tobytes()
        for r, scores in zip(chosen, raw, strict=True)
    ]
    found = program(tmp_path)(b"".join(records))
    assert len(found) == len(chosen)
    for rule, scores, said in zip(chosen, raw, found, strict=True):
        ours = decide(rule, dequantize(scores, STEP, -128))
        assert decides_alike(said, ours, LABELS), (rule, scores, said, ours)


def test_floats_decide_as_the_host_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    chosen = rules(rng, 4000)
    raw = rng.dirichlet(np.full(len(LABELS), 0.4), len(chosen)).astype(np.float32)
    for i in range(0, len(raw), 4):  # exactly at a limit
        limit = float(raw[i].max())
        chosen[i] = Rule(temperature=1, threshold=limit, included=float(raw[i, 1]), step=0)
    records = [
        struct.pack("<2f", rule.threshold, rule.included) + scores.tobytes()
        for rule, scores in zip(chosen, raw, strict=True)
    ]
    found = program(tmp_path, "-DSCORES_ARE_FLOAT")(b"".join(records))
    assert len(found) == len(chosen)
    for rule, scores, said in zip(chosen, raw, found, strict=True):
        assert decides_alike(said, decide(rule, scores), LABELS), (rule, scores, said)
