# SPDX-License-Identifier: Apache-2.0
"""Training one classifier. Selection looks at validation data only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.errors import DataError, TrainingError
from edgecxr.training.architectures import Spec, build
from edgecxr.training.architectures.weights import load_weights
from edgecxr.training.augment import augment
from edgecxr.training.checkpoint import Checkpoint, Epoch
from edgecxr.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

# Batches for each call into the compiled training step; it saves about a tenth of the time.
STEPS_PER_EXECUTION = 16
PREDICTION_BATCH = 128


@dataclass(frozen=True)
class Images:
    """pixels: uint8 (N, H, W); labels: int64 (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def fit(
    train: Images,
    validation: Images,
    classes: int,
    checkpoint: Checkpoint,
    *,
    initial: Path | None = None,
    weights: str | None = None,
    on_epoch: Callable[[Epoch], None],
) -> keras.Model:
    """Train until the last epoch or until early stopping, from wherever ``checkpoint`` stands.

    Args:
        initial: a ``model.keras`` of the same architecture and width, whose weights are taken;
            the head's too if it has as many classes.
        weights: "imagenet", or a file of Keras' weights of the RGB original, for the body.
        on_epoch: called after each epoch with its row of the learning curve.

    Returns:
        The model with the selected weights, without optimizer.

    Raises:
        DataError: if a split is empty.
        TrainingError: if the loss is no longer a number, or ``initial`` does not fit.
    """
    settings = checkpoint.state.settings
    _check_images(train, validation)
    _, height, width = train.pixels.shape
    spec = spec_of(settings, height, width, classes)
    model = build(settings.architecture, spec, freeze=settings.freeze)
    if initial is not None:
        _warm_start(model, initial)
    elif weights is not None:
        load_weights(model, settings.architecture, weights, settings.width_multiplier)
    steps = _steps(len(train.labels), settings.batch)
    _compile(model, settings, steps)
    checkpoint.restore(model)
    batches = _Batches(train, classes, settings)
    for epoch in range(len(checkpoint.state.history), settings.epochs):
        if _stopped_early(checkpoint):
            break
        if settings.schedule == "plateau":
            model.optimizer.learning_rate = plateau_rate(checkpoint.state.history, settings)
        row = _run_epoch(model, batches, validation, epoch)
        _check_finite(row, settings)
        checkpoint.save(model, row)
        on_epoch(row)
    final = build(settings.architecture, spec)
    final.set_weights(model.get_weights())
    if settings.select == "best":
        checkpoint.load_best(final)
    return final


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


def _steps(images: int, batch: int) -> int:
    """Full batches in an epoch: a last batch of one or two images would upset batch statistics."""
    return max(1, images // batch)


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


def _warm_start(model: keras.Model, path: Path) -> None:
    import keras

    sources = [x for x in keras.saving.load_model(path, compile=False).layers if x.weights]
    targets = [x for x in model.layers if x.weights]
    pairs = list(zip(targets, sources, strict=False))
    fitting = [[w.shape for w in a.weights] == [w.shape for w in b.weights] for a, b in pairs]
    # The head is last. It alone may differ, where the classes do.
    if len(targets) != len(sources) or not all(fitting[:-1]):
        raise TrainingError(
            f"the layers of {path} have other shapes than those here; "
            "--init needs a bundle of the same architecture and width"
        )
    for (layer, other), fits in zip(pairs, fitting, strict=True):
        if fits:
            layer.set_weights(other.get_weights())


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Weight of each class so that all classes weigh the same and the mean over images is 1."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


class _Batches:
    """The batches of one epoch; order and augmentation follow from (seed, epoch) alone."""

    def __init__(self, images: Images, classes: int, settings: TrainingSettings) -> None:
        import tensorflow as tf

        self.count = len(images.labels)
        self.settings = settings
        self.steps = _steps(self.count, settings.batch)
        self._pixels = tf.constant(np.asarray(images.pixels))
        self._targets = tf.one_hot(images.labels, classes)
        balanced = settings.class_balance == "weights"
        weights = class_weights(images.labels, classes) if balanced else np.ones(classes, "float32")
        self._weights = tf.constant(weights[images.labels])

    def of_epoch(self, epoch: int) -> Any:
        import tensorflow as tf

        order = np.random.default_rng([self.settings.seed, epoch]).permutation(self.count)
        order = order[: self.steps * self.settings.batch]
        indices = tf.data.Dataset.from_tensor_slices(order).batch(self.settings.batch)
        seeds = tf.data.Dataset.range(self.steps).map(
            lambda step: tf.stack([tf.cast(self.settings.seed, tf.int64), epoch * 2**20 + step])
        )
        pairs = tf.data.Dataset.zip(indices, seeds)
        return pairs.map(self._batch, num_parallel_calls=2, deterministic=True).prefetch(8)

    def _batch(self, indices: Any, seed: Any) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        images = normalised(tf.gather(self._pixels, indices))
        if self.settings.augmentation.active:
            images = augment(images, self.settings.augmentation, seed)
        return images, tf.gather(self._targets, indices), tf.gather(self._weights, indices)


def normalised(pixels: Any) -> Any:
    """uint8 (N, H, W) → float32 (N, H, W, 1) as (pixel − 128)/128, which int8 holds exactly."""
    import tensorflow as tf

    return (tf.cast(pixels, tf.float32)[..., tf.newaxis] - 128.0) / 128.0


def predict(model: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scores, float32 (N, classes), of uint8 pixels (N, H, W)."""
    starts = range(0, len(pixels), PREDICTION_BATCH)
    scores = [
        model.predict_on_batch(normalised(np.asarray(pixels[i : i + PREDICTION_BATCH])))
        for i in starts
    ]
    return np.concatenate(scores)


def _run_epoch(model: Any, batches: _Batches, validation: Images, epoch: int) -> Epoch:
    begun = time.perf_counter()
    history = model.fit(
        batches.of_epoch(epoch), epochs=epoch + 1, initial_epoch=epoch, verbose=0, shuffle=False
    ).history
    scores = predict(model, validation.pixels)
    right = scores.argmax(axis=1) == validation.labels
    return Epoch(
        epoch=epoch + 1,
        learning_rate=float(np.asarray(model.optimizer.learning_rate)),
        train_loss=history["loss"][0],
        train_accuracy=history["accuracy"][0],
        val_loss=_balanced_log_loss(scores, validation.labels),
        val_accuracy=float(right.mean()),
        val_balanced_accuracy=float(
            np.mean([right[validation.labels == c].mean() for c in np.unique(validation.labels)])
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
