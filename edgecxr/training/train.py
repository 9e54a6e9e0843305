# SPDX-License-Identifier: Apache-2.0
"""From images to a bundle with ``model.keras``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgecxr.core.bundle import (
    DOCUMENTS,
    FILES,
    MANIFEST,
    Architecture,
    Bundle,
    InputShape,
    Manifest,
    Parent,
    SplitRecord,
    Training,
    check_bundle_name,
    document_records,
    file_record,
    write_manifest,
)
from edgecxr.core.files import check_writable, new_folder, refuse_existing, sha256, write_atomic
from edgecxr.core.preprocess import Preprocessing
from edgecxr.core.text import fault_of_labels, one_line
from edgecxr.data.cache import LoadedDataset
from edgecxr.data.load import LoadedSource
from edgecxr.errors import DataError, UsageError
from edgecxr.optional import require
from edgecxr.training import architectures
from edgecxr.training.architectures.weights import IMAGENET
from edgecxr.training.batches import Images
from edgecxr.training.checkpoint import Checkpoint, Epoch, RunState
from edgecxr.training.curve import curve_csv, curve_png
from edgecxr.training.fit import fit, spec_of
from edgecxr.training.settings import TrainingSettings
from edgecxr.training.tf import start_tensorflow, tool_versions

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Job:
    """One training run. ``source`` holds the splits "train" and "val", at least."""

    source: LoadedSource
    out: Path
    settings: TrainingSettings
    preprocessing: Preprocessing
    patients: str | None = None
    init: Bundle | None = None
    teachers: tuple[Bundle, ...] = ()
    weights: str | None = None


def work_folder(out: Path) -> Path:
    """Where the unfinished run of a bundle lives."""
    return out.with_name(out.name + ".training")


def begin(job: Job, *, resume: bool, force: bool) -> Checkpoint:
    """Check that the job may start, before anything slow happens.

    Raises:
        OutputError: if the bundle exists and ``force`` is false, or if it is no bundle.
        MissingPackageError: if the learning curve could not be drawn.
        DataError: if there are no validation images, or the classes cannot be labels.
        UsageError: if there is no such architecture, or if an interrupted run is there that does
            not fit; see :class:`Checkpoint`.
    """
    check_bundle_name(job.out)
    if job.patients is not None and one_line(job.patients) != job.patients:
        raise UsageError(f"expected a --patients that can be printed, found {job.patients!a}")
    refuse_existing(job.out, force, mark=MANIFEST)
    check_writable(job.out.parent)
    fault = fault_of_labels(job.source.data.dataset.labels)
    if fault is not None:
        raise DataError(
            f"expected classes whose names can be labels of a model, found {fault}; rename them in "
            "the images' folders or CSV file"
        )
    size = job.preprocessing
    classes = len(job.source.data.dataset.labels)
    spec = spec_of(job.settings, size.height, size.width, classes)
    architectures.check(job.settings.architecture, spec)
    if job.init and job.weights:
        raise UsageError("--init and --weights both say where to start from; leave one away")
    job.source.data.dataset.of_split("val")
    for teacher in job.teachers:
        _check_teacher(teacher, job)
    # It draws the learning curve, after the last epoch: too late to find it missing.
    require("matplotlib", extra="train")
    state = RunState(
        settings=job.settings,
        dataset_fingerprint=job.source.fingerprint,
        initial_weights=_initial_weights(job),
        teachers=[sha256(teacher.path("keras")) for teacher in job.teachers],
    )
    return Checkpoint.begin(work_folder(job.out), state, resume=resume, force=force)


def _check_teacher(teacher: Bundle, job: Job) -> None:
    expected = (job.source.data.dataset.labels, job.preprocessing)
    found = (teacher.manifest.labels, teacher.manifest.preprocessing)
    if found != expected:
        what = "classes" if found[0] != expected[0] else "preprocessing"
        raise UsageError(
            f"the teacher {teacher.folder} has other {what} than the model to train; "
            "give teachers that were trained on the same classes and pixels"
        )


def train(
    job: Job,
    checkpoint: Checkpoint,
    *,
    force: bool = False,
    on_epoch: Callable[[Epoch], None],
) -> Bundle:
    """Train, and write the bundle: ``model.keras``, manifest, learning curve as CSV and PNG.

    Raises:
        DataError, TrainingError, OutputError: see :func:`fit` and :func:`new_folder`.
    """
    start_tensorflow(
        job.settings.seed, deterministic=job.settings.deterministic, threads=job.settings.threads
    )
    labels = job.source.data.dataset.labels
    model = fit(
        images_of(job.source.data, "train"),
        images_of(job.source.data, "val"),
        len(labels),
        checkpoint,
        initial=job.init.path("keras") if job.init else None,
        weights=job.weights,
        keep_head=job.init is not None and job.init.manifest.labels == labels,
        teachers=[teacher.path("keras") for teacher in job.teachers],
        on_epoch=on_epoch,
    )
    with new_folder(job.out, force=force, mark=MANIFEST) as folder:
        model.save(folder / FILES["keras"])
        _write_curve(folder, job, checkpoint.state)
        write_manifest(folder, _manifest(job, checkpoint.state, model, folder))
    checkpoint.remove()
    return Bundle.open(job.out, own=True)


def _initial_weights(job: Job) -> str | None:
    """SHA-256 of the file that the run starts from, or "imagenet", or None."""
    if job.init:
        return sha256(job.init.path("keras"))
    if job.weights in (None, IMAGENET):
        return job.weights
    if not Path(job.weights).is_file():
        raise UsageError(f"--weights takes '{IMAGENET}' or a file, and {job.weights} is neither")
    return sha256(Path(job.weights))


def images_of(data: LoadedDataset, split: str) -> Images:
    part = data.of_split(split)
    return Images(part.images, part.labels)


def _selected_epoch(state: RunState) -> int:
    return state.best_epoch if state.settings.select == "best" else len(state.history)


def _write_curve(folder: Path, job: Job, state: RunState) -> None:
    title = f"{job.out.name}: {state.settings.architecture} {state.settings.width_multiplier:g}"
    if job.source.data.dataset.synthetic:
        title += ", SYNTHETIC images"
    write_atomic(folder / DOCUMENTS["curve"], curve_csv(state.history))
    png = curve_png(state.history, _selected_epoch(state), title)
    write_atomic(folder / DOCUMENTS["curve_picture"], png)


def _origin(job: Job) -> str | None:
    """A name for a person: never a path of this computer."""
    if job.init:
        return job.init.manifest.name
    return one_line(Path(job.weights).name) if job.weights else None


def _parents(job: Job) -> tuple[Parent, ...]:
    roles: list[tuple[Literal["init", "teacher"], Bundle]] = []
    if job.init:
        roles.append(("init", job.init))
    roles += [("teacher", teacher) for teacher in job.teachers]
    return tuple(
        Parent(
            role=role,
            name=bundle.manifest.name,
            labels=bundle.manifest.labels,
            model_sha256=bundle.manifest.files["keras"].sha256,
            training=bundle.manifest.trained,
        )
        for role, bundle in roles
    )


def _manifest(job: Job, state: RunState, model: keras.Model, folder: Path) -> Manifest:
    settings, data = job.settings, job.source.data
    return Manifest(
        name=job.out.name,
        labels=data.dataset.labels,
        input=InputShape(
            height=job.preprocessing.height, width=job.preprocessing.width, channels=1
        ),
        preprocessing=job.preprocessing,
        synthetic_data=data.dataset.synthetic,
        architecture=Architecture(
            name=settings.architecture,
            width_multiplier=settings.width_multiplier,
            dropout=settings.dropout,
            parameters=model.count_params(),
        ),
        training=Training(
            dataset_fingerprint=job.source.fingerprint,
            split=SplitRecord(
                validation_share=settings.validation_share,
                seed=settings.seed,
                patients=job.patients,
                images={s: len(data.of_split(s).labels) for s in data.dataset.splits},
                skipped_unreadable=len(data.skipped),
            ),
            seed=settings.seed,
            settings=settings.model_dump(),
            epochs_run=len(state.history),
            best_epoch=_selected_epoch(state),
            # The median: the first epoch includes TensorFlow's compilation.
            seconds_per_epoch=float(np.median([row.seconds for row in state.history])),
            initialised_from=_origin(job),
            parents=_parents(job),
        ),
        tools=tool_versions(),
        files={"keras": file_record(folder / FILES["keras"])},
        documents=document_records(folder),
    )
