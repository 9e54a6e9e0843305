# SPDX-License-Identifier: Apache-2.0
"""Results to make a report from. The scores are drawn, the images are noise: nothing is claimed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecxr.core.board import boards, fit_tflm
from edgecxr.core.decision import Wish, choose, evaluate_decision
from edgecxr.core.metrics import Evaluation, compare
from edgecxr.report.about import About
from edgecxr.report.inputs import Inputs, read_inputs
from edgecxr.report.page import Wanted
from edgecxr.report.seen import Seen
from edgecxr.report.subjects import subjects
from tests.bundles import write_bundle

MODELS = Path(__file__).resolve().parents[2] / "models" / "cxr3"
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "$\\frac$ & </svg>")
CURVE = (
    "epoch,train_loss,val_loss,train_accuracy,val_accuracy\n1,1.1,1.2,0.4,0.3\n2,0.9,1,0.5,0.6\n"
)


def results(folder: Path, labels: tuple[str, ...] = HOSTILE, images: int = 60) -> Inputs:
    """A bundle with recorded figures, rules, a curve and a card, read back."""
    bundle = write_bundle(folder, MODELS, labels)
    seen = drawn(labels, images)
    rules = choose(seen.float32, seen.int8, seen.truth, Wish(), 1 / 256)
    decided = evaluate_decision(rules, seen.float32, seen.int8, seen.truth)
    recorded = seen.evaluation.model_copy(update={"split": "test", "decision": decided})
    bundle.with_manifest(metrics={"test": recorded}, decision=rules)
    (folder / "learning_curve.csv").write_text(CURVE)
    (folder / "README.md").write_text(
        "# Card\n<script>alert(3)</script>\n\n[x](javascript:alert(4)) ![p](http://x.example/p.png)\n"
    )
    return read_inputs([folder])


def drawn(labels: tuple[str, ...], images: int = 60) -> Seen:
    """Scores that lean to the truth, and features that follow it."""
    random = np.random.default_rng(4)
    truth = np.arange(images) % len(labels)
    logits = random.normal(size=(images, len(labels))) + 1.5 * np.eye(len(labels))[truth]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    float32 = chances.astype(np.float32)
    int8 = (np.floor(float32 * 256) / 256).astype(np.float32)
    pictures = random.integers(0, 256, (images, 96, 96)).astype(np.uint8)
    return Seen(
        split="val",
        names=tuple(f"<b>{i}</b>.png" for i in range(images)),
        images=pictures,
        truth=truth,
        float32=float32,
        int8=int8,
        evaluation=compare(
            float32, int8, truth, labels, split="val", fingerprint="none", interpreter="drawn"
        ),
        features=random.normal(size=(images, 8)).astype(np.float32) + truth[:, np.newaxis],
        heat=((0, np.ones((96, 96), np.float32)),),
    )


def evaluated(inputs: Inputs) -> Evaluation:
    """What the summary of the first model speaks of."""
    found = subjects(inputs)[0].evaluation
    assert found is not None
    return found


def wanted(seen: Seen | None = None, *, images: bool = True) -> Wanted:
    fits = [fit_tflm(board, "int8", 300_000, 82_000) for board in boards().values()]
    about = About(seen, fits, ["edgecxr train SET --out x"])
    return Wanted(["edgecxr", "report", "a b"], {"edgecxr": "0"}, [about], images)
