# SPDX-License-Identifier: Apache-2.0
"""The state of a run after each epoch, so that a killed run goes on as if nothing had happened."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from edgecxr.core.files import write_atomic
from edgecxr.errors import TrainingError, UsageError
from edgecxr.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras


class Epoch(BaseModel):
    """One row of the learning curve. Losses in nats; the training loss is under augmentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float
    seconds: float


class RunState(BaseModel):
    """``latest`` and ``best`` name array files beside the state."""

    model_config = ConfigDict(extra="forbid")

    settings: TrainingSettings
    dataset_fingerprint: str
    initial_weights: str | None
    teachers: list[str] = []
    history: list[Epoch] = []
    latest: str = ""
    best: str = ""
    best_epoch: int = 0
    best_val_loss: float | None = None


class Checkpoint:
    """A folder beside the bundle-to-be; it goes when the bundle is there."""

    def __init__(self, folder: Path, state: RunState) -> None:
        self.folder = folder
        self.state = state

    @classmethod
    def begin(cls, folder: Path, state: RunState, *, resume: bool, force: bool) -> Checkpoint:
        """Start afresh, or go on where ``folder`` stopped.

        Raises:
            UsageError: if a run is there and neither ``resume`` nor ``force`` says what to do
                with it, or if it was started with other settings or other images.
            TrainingError: if its state cannot be read.
        """
        path = folder / "state.json"
        if force and not resume:
            shutil.rmtree(folder, ignore_errors=True)
        if not path.exists():
            return cls(folder, state)
        if not resume:
            raise UsageError(
                f"an interrupted run is in {folder}; go on with --resume, or drop it with --force"
            )
        try:
            found = RunState.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(path) from error
        _check_same_run(found, state, folder)
        return cls(folder, found)

    def save(self, trainer: keras.Model, row: Epoch, model: keras.Model) -> None:
        """Record one finished epoch. A kill at any moment leaves this or the last state whole.

        Args:
            trainer: the compiled model, from which training goes on.
            model: what ``row`` was measured on, to be selected from.
        """
        state = self.state
        state.history.append(row)
        old = {state.latest, state.best}
        state.latest = f"epoch-{row.epoch}.npz"
        write_atomic(self.folder / state.latest, _arrays(_variables(trainer, model)))
        if state.best_val_loss is None or row.val_loss < state.best_val_loss:
            state.best = f"best-{row.epoch}.npz"
            state.best_epoch = row.epoch
            state.best_val_loss = row.val_loss
            write_atomic(self.folder / state.best, _arrays(model.weights))
        write_atomic(self.folder / "state.json", state.model_dump_json(indent=1))
        for name in old - {state.latest, state.best, ""}:
            (self.folder / name).unlink(missing_ok=True)

    def restore(self, trainer: keras.Model, model: keras.Model) -> None:
        """Bring both models, built, to the state after the last finished epoch."""
        if self.state.latest:
            _assign(_variables(trainer, model), self.folder / self.state.latest)

    def load_best(self, model: keras.Model) -> None:
        """Give a model the weights of the epoch with the lowest validation loss."""
        _assign(model.weights, self.folder / self.state.best)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _check_same_run(found: RunState, wanted: RunState, folder: Path) -> None:
    old, new = found.settings.model_dump(), wanted.settings.model_dump()
    changed = sorted(name for name in new if old[name] != new[name])
    if changed:
        was = ", ".join(f"{name} {old[name]}" for name in changed)
        raise UsageError(
            f"the run in {folder} was started with {was}; resume with the same settings, "
            "or start over with --force"
        )
    for what, same in (
        ("images", found.dataset_fingerprint == wanted.dataset_fingerprint),
        ("initial weights", found.initial_weights == wanted.initial_weights),
        ("teachers", found.teachers == wanted.teachers),
    ):
        if not same:
            raise UsageError(
                f"the run in {folder} was started with other {what}; give the same ones, "
                "or start over with --force"
            )


def _variables(trainer: keras.Model, model: keras.Model) -> list[Any]:
    """Weights, the state of dropout's generators, the optimizer's moments and step, and the
    weights to be selected from."""
    return [*trainer.variables, *trainer.optimizer.variables, *model.weights]


def _arrays(variables: list[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *(np.asarray(variable) for variable in variables))
    return buffer.getvalue()


def _assign(variables: list[Any], path: Path) -> None:
    try:
        with np.load(path) as arrays:
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"arr_{i}"])
    # numpy says EOFError of an empty file, and leaves a cut one to zipfile.
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> TrainingError:
    return TrainingError(f"{path} cannot be read; start over with --force")
