# SPDX-License-Identifier: Apache-2.0
"""The bundle: a folder that holds one trained model and all that was measured about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecxr.core.decision import Decision, Rule, Verdict, decide
from edgecxr.core.files import locked, sha256, write_atomic, write_together
from edgecxr.core.metrics import Evaluation
from edgecxr.core.pixels import PixelRange
from edgecxr.core.preprocess import Preprocessing
from edgecxr.core.quant import dequantize
from edgecxr.errors import BundleError

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
FILES = {"keras": "model.keras", "float32": "float32.tflite", "int8": "int8.tflite"}
Scores = NDArray[np.int8] | NDArray[np.float32]
FileKind = Literal["keras", "float32", "int8"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class InputShape(_Strict):
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: int = Field(gt=0)


class Architecture(_Strict):
    name: str
    width_multiplier: float
    dropout: float
    parameters: int


class SplitRecord(_Strict):
    """How the splits came about; enough to make the same ones again from the same source."""

    validation_share: float
    seed: int
    patients: str | None = None
    images: dict[str, int]
    skipped_unreadable: int = 0


class Training(_Strict):
    dataset_fingerprint: str
    split: SplitRecord
    seed: int
    settings: dict[str, Any]
    epochs_run: int
    best_epoch: int
    seconds_per_epoch: float
    initialised_from: str | None = None
    parents: tuple[Parent, ...] = ()


class Parent(_Strict):
    """A bundle that this one learnt from, and how that one was trained in its turn."""

    role: Literal["init", "teacher"]
    name: str
    labels: tuple[str, ...]
    model_sha256: str
    training: Training


class QuantizationRecord(_Strict):
    method: Literal["post-training-int8"]
    representative_images: int
    representative_seed: int
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    validation_agreement: float


class Imported(_Strict):
    """Where a bundle that was not trained here came from.

    Attributes:
        file, sha256: of the file as it was given. The bundle's own differs if the range of its
            pixels was written into it, or if it took uint8.
        input_range: of the pixels, as it was given; the file in the bundle says it too.
    """

    file: str
    sha256: str
    input_range: PixelRange | None = None


class FileRecord(_Strict):
    path: str
    size: int
    sha256: str


class SplitReads(_Strict):
    """How often figures of one split were read with the same model files.

    Attributes:
        dataset_fingerprint: of the source that the split belongs to.
        files: SHA-256 of the model files that were tried, by kind.
        first, last: dates, in UTC.
    """

    split: str
    dataset_fingerprint: str
    files: dict[str, str]
    count: int = Field(ge=1)
    first: date
    last: date


class Manifest(_Strict):
    version: int = MANIFEST_VERSION
    name: str
    labels: tuple[str, ...] = Field(min_length=2)
    input: InputShape
    preprocessing: Preprocessing
    synthetic_data: bool
    notice: str = "For research and teaching. Not a medical device."
    architecture: Architecture | None
    training: Training | None
    imported: Imported | None = None
    quantization: QuantizationRecord | None = None
    decision: Decision | None = None
    metrics: dict[str, Evaluation] = Field(default_factory=dict)
    reads: tuple[SplitReads, ...] = ()
    tools: dict[str, str]
    files: dict[str, FileRecord]

    @property
    def trained(self) -> Training:
        """How the bundle was trained.

        Raises:
            BundleError: if it was imported, so that nobody knows.
        """
        if self.training is None:
            raise BundleError(
                f"{self.name} was imported, so how it was trained is not known; expected a bundle "
                "of `edgecxr train` for this"
            )
        return self.training

    def rule(self, precision: Literal["int8", "float32"]) -> Rule | None:
        """When the model of this precision is uncertain; None if nothing was chosen."""
        if self.decision is None:
            return None
        return self.decision.int8 if precision == "int8" else self.decision.float32

    def verdict(self, precision: Literal["int8", "float32"], raw: Scores) -> Verdict | None:
        """What the bundle's rules make of the scores of one image, as the model gave them.

        Args:
            raw: int8 or float32 by precision, shape (classes,).

        Returns:
            None if there are no rules.
        """
        rule, record = self.rule(precision), self.quantization
        if rule is None or record is None:
            return None
        if precision == "float32":
            return decide(rule, raw.astype(np.float32))
        return decide(
            rule, dequantize(raw.astype(np.int8), record.output_scale, record.output_zero_point)
        )


def file_record(path: Path) -> FileRecord:
    """Path (the name only), size in bytes and SHA-256 of one file of a bundle."""
    return FileRecord(path=path.name, size=path.stat().st_size, sha256=sha256(path))


@dataclass(frozen=True)
class Bundle:
    """An opened bundle whose files were checked against their hashes."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read and check a bundle.

        Raises:
            BundleError: if the manifest is missing, malformed or newer than this program, or if a
                file is missing or differs from its recorded size or SHA-256.
        """
        manifest = _read_manifest(folder)
        for record in manifest.files.values():
            _check_file(folder, record)
        return cls(folder, manifest)

    def path(self, kind: FileKind) -> Path:
        """The file of this kind.

        Raises:
            BundleError: if this bundle has no such file yet.
        """
        if kind not in self.manifest.files:
            if self.manifest.imported is not None:
                raise BundleError(
                    f"{self.folder} was imported with {' and '.join(self.precisions)} only, and "
                    f"has no {FILES[kind]}; leave out what needs it, or name --precision"
                )
            step = "edgecxr train" if kind == "keras" else "edgecxr quantize"
            raise BundleError(f"{self.folder} has no {FILES[kind]}; run `{step}` on it first")
        return self.folder / self.manifest.files[kind].path

    @property
    def precisions(self) -> tuple[Literal["int8", "float32"], ...]:
        """Which models are in it, int8 first; both, or what was imported."""
        both: tuple[Literal["int8", "float32"], ...] = ("int8", "float32")
        return tuple(each for each in both if each in self.manifest.files)

    @property
    def default(self) -> Literal["int8", "float32"]:
        """The model that is meant where nobody says: int8, if that is not all that is missing."""
        imported = self.manifest.imported is not None
        return self.precisions[0] if imported else "int8"

    def with_manifest(self, **changes: Any) -> Bundle:
        """Write a changed manifest in place of the old one and return the bundle with it."""
        return self.with_files({}, **changes)

    def with_files(self, contents: Mapping[FileKind, bytes], **changes: Any) -> Bundle:
        """Write files and the manifest that records them, all or none.

        New files have not been tried on any split yet; without new ones, the count of such trials
        stays as it is on disk by now.
        """
        files = dict(self.manifest.files)
        for kind, data in contents.items():
            files[kind] = FileRecord(path=FILES[kind], size=len(data), sha256=sha256(data))
        with locked(self.folder):
            reads = () if contents else _read_manifest(self.folder).reads
            named = {FILES[kind]: data for kind, data in contents.items()}
            return _write(self.folder, named, self.manifest, **changes, files=files, reads=reads)

    def count_read(self, split: str, fingerprint: str) -> Bundle:
        """Write into the manifest that the model files are tried on a split once more.

        Other processes that count at the same time wait, so that no read is lost.

        Args:
            fingerprint: of the dataset that the split belongs to.

        Raises:
            OutputError: if the manifest cannot be written.
        """
        with locked(self.folder):
            manifest = _read_manifest(self.folder)
            return _write(self.folder, {}, manifest, reads=_one_more(manifest, split, fingerprint))

    def reads_of(self, split: str, fingerprint: str) -> int:
        """How often a split was read with these files, as far as the manifest knows."""
        return sum(
            read.count
            for read in self.manifest.reads
            if (read.split, read.dataset_fingerprint) == (split, fingerprint)
        )


def _write(
    folder: Path, contents: Mapping[str, bytes], manifest: Manifest, **changes: Any
) -> Bundle:
    changed = manifest.model_copy(update=changes)
    write_together(folder, {**contents, MANIFEST: _as_text(changed)})
    return Bundle(folder, changed)


def _one_more(manifest: Manifest, split: str, fingerprint: str) -> tuple[SplitReads, ...]:
    """The reads of the files that are there now, with one more of this split."""
    today = datetime.now(UTC).date()
    files = {kind: each.sha256 for kind, each in manifest.files.items() if kind != "keras"}
    kept = [read for read in manifest.reads if read.files == files]
    for index, read in enumerate(kept):
        if (read.split, read.dataset_fingerprint) == (split, fingerprint):
            kept[index] = read.model_copy(update={"count": read.count + 1, "last": today})
            return tuple(kept)
    new = SplitReads(
        split=split,
        dataset_fingerprint=fingerprint,
        files=files,
        count=1,
        first=today,
        last=today,
    )
    return (*kept, new)


def _as_text(manifest: Manifest) -> str:
    return manifest.model_dump_json(indent=2) + "\n"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_atomic(folder / MANIFEST, _as_text(manifest))


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            f"{folder} is not a bundle: expected a folder with {MANIFEST}; "
            "make one with `edgecxr train`"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as JSON: {error}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise BundleError(
            f"{path} has version {version}, and this edgecxr reads up to {MANIFEST_VERSION}; "
            "update edgecxr"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{path} is not a valid manifest: {place}: {first['msg']}") from error


def _check_file(folder: Path, record: FileRecord) -> None:
    path = folder / record.path
    if Path(record.path).name != record.path:
        raise BundleError(
            f"{folder}: the manifest names {record.path!r}, which is not a plain name"
        )
    if not path.is_file():
        raise BundleError(f"{path} is named in the manifest and is missing; restore it")
    found = path.stat().st_size
    if found != record.size:
        raise BundleError(
            f"{path} has {found} bytes where the manifest says {record.size}; "
            "it was changed after it was written: restore it or train again"
        )
    if sha256(path) != record.sha256:
        raise BundleError(
            f"{path} does not have the SHA-256 of the manifest; "
            "it was changed after it was written: restore it or train again"
        )
