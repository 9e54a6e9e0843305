# SPDX-License-Identifier: Apache-2.0
"""The learning curve as a table and as a picture."""

from __future__ import annotations

import csv
import io

from edgecxr.training.checkpoint import Epoch


def curve_csv(history: list[Epoch]) -> str:
    """One row an epoch, with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Epoch.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" for k, v in row.model_dump().items()})
    return text.getvalue()


def curve_png(history: list[Epoch], best_epoch: int, title: str) -> bytes:
    """Loss on the left, accuracy on the right; a dotted line marks the selected epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    loss.plot(epochs, [row.train_loss for row in history], label="training (augmented, smoothed)")
    loss.plot(epochs, [row.val_loss for row in history], label="validation")
    loss.set(xlabel="epoch", ylabel="cross-entropy, nats")
    accuracy.plot(epochs, [100 * row.train_accuracy for row in history], label="training")
    accuracy.plot(epochs, [100 * row.val_accuracy for row in history], label="validation")
    accuracy.plot(
        epochs,
        [100 * row.val_balanced_accuracy for row in history],
        label="validation, balanced",
        linewidth=1,
    )
    accuracy.set(xlabel="epoch", ylabel="accuracy, %")
    for axes in (loss, accuracy):
        axes.axvline(best_epoch, color="grey", linestyle=":", label=f"selected: {best_epoch}")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
