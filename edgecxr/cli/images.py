# SPDX-License-Identifier: Apache-2.0
"""The images that a bundle is tried on: decoded as its model expects them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecxr.cli import common

if TYPE_CHECKING:
    from edgecxr.core.bundle import Bundle
    from edgecxr.data.load import LoadedSource, Reading


def load_for(bundle: Bundle, data: Path, split: str | None, reading: Reading) -> LoadedSource:
    """Read one split of a source, with the preprocessing and the patient rule of a bundle.

    Any split but test is cut as it was for training, so that "val" holds the same images. None
    reads all splits, cut so.

    Raises:
        DataError: if the images are not usable, or their classes are not the model's.
    """
    from edgecxr.data.load import Validation, load_source
    from edgecxr.errors import DataError

    training = bundle.manifest.training
    trained = None if training is None else training.split
    cut = None if split == "test" or trained is None else trained
    source = load_source(
        data,
        bundle.manifest.preprocessing,
        replace(reading, patients=trained.patients) if trained else reading,
        validation=None if cut is None else Validation(cut.validation_share, cut.seed),
        split=split,
    )
    labels = bundle.manifest.labels
    found = source.data.dataset.labels
    if found != labels:
        raise DataError(
            f"expected the model's classes {', '.join(labels)} in {data}, "
            f"found {', '.join(found)}; give the kind of images that the model was trained on"
        )
    common.note_skipped(source.data.skipped)
    return source


def count_read(bundle: Bundle, split: str, fingerprint: str) -> int:
    """Count in the manifest, before any figure exists, that a split is read; how often it was now.

    A bundle that cannot be written is tried all the same, with a note.
    """
    from edgecxr.errors import OutputError

    try:
        return bundle.count_read(split, fingerprint).reads_of(split, fingerprint)
    except OutputError as error:
        common.note(f"Note: this reading of the {split} split was not counted: {error}")
        return bundle.reads_of(split, fingerprint) + 1
