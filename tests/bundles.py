# SPDX-License-Identifier: Apache-2.0
"""Bundles for tests of the rooms that read one; nothing in them was trained."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgecxr.core.bundle import (
    FILES,
    Architecture,
    Bundle,
    InputShape,
    Manifest,
    SplitRecord,
    Training,
    file_record,
    write_manifest,
)
from edgecxr.core.preprocess import Preprocessing


def write_bundle(folder: Path, models: Path, labels: tuple[str, ...] = ("a", "b", "c")) -> Bundle:
    """A bundle in ``folder`` around the ``.tflite`` files of ``models``."""
    folder.mkdir(parents=True)
    files = {}
    for kind in ("float32", "int8"):
        if (models / FILES[kind]).exists():
            shutil.copyfile(models / FILES[kind], folder / FILES[kind])
            files[kind] = file_record(folder / FILES[kind])
    manifest = Manifest(
        name=folder.name,
        labels=labels,
        input=InputShape(height=96, width=96, channels=1),
        preprocessing=Preprocessing(),
        synthetic_data=True,
        architecture=Architecture(name="tiny", width_multiplier=1, dropout=0, parameters=300),
        training=Training(
            dataset_fingerprint="none",
            split=SplitRecord(validation_share=0, seed=1, images={}),
            seed=1,
            settings={},
            epochs_run=0,
            best_epoch=0,
            seconds_per_epoch=0,
        ),
        tools={},
        files=files,
    )
    write_manifest(folder, manifest)
    return Bundle(folder, manifest)
