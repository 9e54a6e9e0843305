# SPDX-License-Identifier: Apache-2.0
"""Training one classifier. Selection looks at validation data only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.errors import DataError, TrainingError
from edgecxr.training.architectures import Spec, build
from edgecxr.training.architectures.weights import load_weights
from edgecxr.training.batches import Batches, Images, normalised
from edgecxr.training.checkpoint import Checkpoint, Epoch
from edgecxr.training.fused import fused
from edgecxr.training.keras_file import check_fits, load_keras
from edgecxr.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

# Batches for each call into the compiled training step; it saves about a tenth of the time.
STEPS_PER_EXECUTION = 16
PREDICTION_BATCH = 128


def fit(
    train: Images,
    validation: Images,
    classes: int,
    checkpoint: Checkpoint,
    *,
    initial: Path | None = None,
    weights: str | None = None,
    keep_head: bool = True,
    teachers: Sequence[Path] = (),
    on_epoch: Callable[[Epoch], None],
) -> keras.Model:
    """Train until the last epoch or until early stopping, from wherever ``checkpoint`` stands.

    Args:
        initial: a ``model.keras`` of the same architecture and width, whose weights are taken.
        keep_head: take the head's weights of ``initial`` too, if it has as many classes.
        teachers: files ``model.keras`` of the same input and classes; what they say of an
            augmented image is a share of its target.
        weights: "imagenet", or a file of Keras' weights of the RGB original, for the body.
        on_epoch: called after each epoch with its row of the learning curve.

    Returns:
        The model with the selected weights, without optimizer.

    Raises:
        DataError: if a split is empty.
        ModelError: if a Keras file is refused, or a teacher has another input or other outputs.
        TrainingError: if the loss is no longer a number, or ``initial`` does not fit.
    """
    settings = checkpoint.state.settings
    _check_images(train, validation)
    _, height, width = train.pixels.shape
    spec = spec_of(settings, height, width, classes)
    model = build(settings.architecture, spec, freeze=settings.freeze)
    if initial is not None:
        _warm_start(model, initial, keep_head=keep_head)
    elif weights is not None:
        load_weights(model, settings.architecture, weights, settings.width_multiplier)
    trainer = fused(model)
    batches = Batches(train, classes, settings, [_teacher(path, model) for path in teachers])
    _compile(trainer, settings, batches.steps)
    checkpoint.restore(trainer, model)
    for epoch in range(len(checkpoint.state.history), settings.epochs):
        if _stopped_early(checkpoint):
            break
        begun = time.perf_counter()
        if settings.schedule == "plateau":
            trainer.optimizer.learning_rate = plateau_rate(checkpoint.state.history, settings)
        history = _run_epoch(trainer, batches, epoch)
        _average(model, trainer, epoch, settings.average_epochs)
        row = _row(epoch, history, predict(model, validation.pixels), validation.labels, begun)
        _check_finite(row, settings)
        checkpoint.save(trainer, row, model)
        on_epoch(row)
    if settings.select == "best":
        checkpoint.load_best(model)
    return model


def _average(model: keras.Model, trainer: keras.Model, epoch: int, epochs: float) -> None:
    """Move the weights of ``model`` towards those after this epoch, so that they are the
    exponential average over about so many epochs; over fewer than one they are the last ones.

    Moving means and variances are averaged too: they belong to the weights.
    """
    # While there are fewer epochs than that, the plain mean of all.
    share = 1.0 / max(1.0, min(epochs, epoch + 1))
    pairs = zip(model.get_weights(), trainer.get_weights(), strict=True)
    model.set_weights([(1.0 - share) * mine + share * new for mine, new in pairs])


def _teacher(path: Path, like: keras.Model) -> keras.Model:
    teacher = load_keras(path)
    check_fits(path, teacher, like.input_shape, like.output_shape)
    teacher.trainable = False
    return teacher


def _check_images(train: Images, validation: Images) -> None:
    for name, images in (("training", train), ("validation", validation)):
        if len(images.labels) == 0:
            raise DataError(f"expected {name} images, found none; check the splits and the share")


def spec_of(settings: TrainingSettings, height: int, width: int, classes: int) -> Spec:
    """What the settings say of the architecture, for gray images of this size."""
    return Spec(
        height=height,
        width=width,
        channels=1,
        classes=classes,
        width_multiplier=settings.width_multiplier,
        dropout=settings.dropout,
        seed=settings.seed,
        activation=settings.activation,
        head_units=settings.head_units,
        l2=settings.l2,
    )


def plateau_rate(history: Sequence[Epoch], settings: TrainingSettings) -> float:
    """The learning rate after these epochs: times ``plateau_factor`` whenever the validation loss
    has not improved for ``plateau_patience`` epochs (Keras' ReduceLROnPlateau with min_delta 0).

    It follows from the history alone, so that a resumed run has the same rate.
    """
    rate, best, waited = settings.learning_rate, math.inf, 0
    for row in history:
        if row.val_loss < best:
            best, waited = row.val_loss, 0
            continue
        waited += 1
        if waited >= settings.plateau_patience:
            rate, waited = rate * settings.plateau_factor, 0
    return rate


def _compile(model: keras.Model, settings: TrainingSettings, steps: int) -> None:
    import keras

    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        warmup = min(round(settings.warmup_epochs * steps), settings.epochs * steps - 1)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=settings.learning_rate / 100 if warmup else rate,
            decay_steps=max(1, settings.epochs * steps - warmup),
            warmup_target=settings.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    # Decay pulls weights, not offsets and scales, towards zero.
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,
        steps_per_execution=min(STEPS_PER_EXECUTION, steps),
    )
    optimizer.build(model.trainable_variables)


def _warm_start(model: keras.Model, path: Path, *, keep_head: bool) -> None:
    sources = [x for x in load_keras(path).layers if x.weights]
    targets = [x for x in model.layers if x.weights]
    pairs = list(zip(targets, sources, strict=False))
    fitting = [[w.shape for w in a.weights] == [w.shape for w in b.weights] for a, b in pairs]
    # The head is last. It alone may differ, where the classes do.
    if len(targets) != len(sources) or not all(fitting[:-1]):
        raise TrainingError(
            f"the layers of {path} have other shapes than those here; "
            "--init needs a bundle of the same architecture and width"
        )
    fitting[-1] &= keep_head
    for (layer, other), fits in zip(pairs, fitting, strict=True):
        if fits:
            layer.set_weights(other.get_weights())


def predict(model: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scores, float32 (N, classes), of uint8 pixels (N, H, W)."""
    starts = range(0, len(pixels), PREDICTION_BATCH)
    scores = [
        model.predict_on_batch(normalised(np.asarray(pixels[i : i + PREDICTION_BATCH])))
        for i in starts
    ]
    return np.concatenate(scores)


def _run_epoch(trainer: Any, batches: Batches, epoch: int) -> dict[str, float]:
    """Train one epoch; its training loss and accuracy and the learning rate after it."""
    found = trainer.fit(
        batches.of_epoch(epoch), epochs=epoch + 1, initial_epoch=epoch, verbose=0, shuffle=False
    ).history
    rate = float(np.asarray(trainer.optimizer.learning_rate))
    return {"loss": found["loss"][0], "accuracy": found["accuracy"][0], "rate": rate}


def _row(
    epoch: int,
    trained: dict[str, float],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    begun: float,
) -> Epoch:
    right = scores.argmax(axis=1) == labels
    return Epoch(
        epoch=epoch + 1,
        learning_rate=trained["rate"],
        train_loss=trained["loss"],
        train_accuracy=trained["accuracy"],
        val_loss=_balanced_log_loss(scores, labels),
        val_accuracy=float(right.mean()),
        val_balanced_accuracy=float(
            np.mean([right[labels == c].mean() for c in np.unique(labels)])
        ),
        seconds=round(time.perf_counter() - begun, 3),
    )


def _balanced_log_loss(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean over classes of the mean −log(score of the true class), so that no class is drowned."""
    losses = -np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-7))
    return float(np.mean([losses[labels == c].mean() for c in np.unique(labels)]))


def _check_finite(row: Epoch, settings: TrainingSettings) -> None:
    if not (math.isfinite(row.train_loss) and math.isfinite(row.val_loss)):
        raise TrainingError(
            f"the loss is no longer a number in epoch {row.epoch} at learning rate "
            f"{settings.learning_rate:g}; try a smaller --learning-rate"
        )


def _stopped_early(checkpoint: Checkpoint) -> bool:
    patience = checkpoint.state.settings.early_stopping
    since_best = len(checkpoint.state.history) - checkpoint.state.best_epoch
    return bool(patience) and since_best >= patience
