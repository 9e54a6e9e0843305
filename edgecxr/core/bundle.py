# SPDX-License-Identifier: Apache-2.0
"""The bundle: a folder that holds one trained model and all that was measured about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecxr.core.decision import Decision, Rule, Verdict, decide
from edgecxr.core.files import (
    locked,
    parse_json,
    sha256,
    write_atomic,
    write_together,
)
from edgecxr.core.metrics import Evaluation
from edgecxr.core.outputs import count_outputs
from edgecxr.core.pixels import PixelRange
from edgecxr.core.preprocess import Preprocessing
from edgecxr.core.quant import dequantize
from edgecxr.core.record import (
    DOCUMENTS,
    LARGEST_DOCUMENT,
    MANIFEST,
    DocumentKind,
    FileRecord,
    changed,
    check_record,
    document_records,
    file_record,
    read_plain,
)
from edgecxr.core.signature import SIGNATURE, Signer, trusted_key, verify
from edgecxr.core.text import NOTICE, fault_of_labels, fault_of_name, one_line, shortened
from edgecxr.errors import BundleError, OutputError, UsageError

__all__ = [
    "DOCUMENTS",
    "MANIFEST",
    "Bundle",
    "FileRecord",
    "Manifest",
    "document_records",
    "file_record",
]
MANIFEST_VERSION = 1
FILES = {"keras": "model.keras", "float32": "float32.tflite", "int8": "int8.tflite"}
Scores = NDArray[np.int8] | NDArray[np.float32]
FileKind = Literal["keras", "float32", "int8"]

_LARGEST_MANIFEST = 2**22
"""Bytes; those here have 30,000."""
_LONGEST_TEXT = 4096
_LARGEST_SIDE = 4096


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class InputShape(_Strict):
    height: int = Field(gt=0, le=_LARGEST_SIDE)
    width: int = Field(gt=0, le=_LARGEST_SIDE)
    channels: int = Field(gt=0, le=4)


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
    """What ``manifest.json`` says.

    Attributes:
        documents: the card and the learning curve, recorded as ``files`` are; None in a bundle from
            before they were.
    """

    version: int = MANIFEST_VERSION
    name: str
    labels: tuple[str, ...]
    input: InputShape
    preprocessing: Preprocessing
    synthetic_data: bool
    notice: str = NOTICE
    architecture: Architecture | None
    training: Training | None
    imported: Imported | None = None
    quantization: QuantizationRecord | None = None
    decision: Decision | None = None
    metrics: dict[str, Evaluation] = Field(default_factory=dict)
    reads: tuple[SplitReads, ...] = ()
    tools: dict[str, str]
    files: dict[FileKind, FileRecord]
    documents: dict[DocumentKind, FileRecord] | None = None

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        fault = fault_of_name(name)
        if fault is not None:
            raise ValueError(
                f"expected one part of a path that can be printed, found {shortened(name)!a}, "
                f"a name {fault}"
            )
        return name

    @field_validator("labels")
    @classmethod
    def _labels_are_sound(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        fault = fault_of_labels(labels)
        if fault is not None:
            raise ValueError(
                f"expected different labels that can be printed, one for each output, found {fault}"
            )
        return labels

    @field_validator("notice")
    @classmethod
    def _notice_is_ours(cls, _: str) -> str:
        return NOTICE

    @property
    def records(self) -> tuple[FileRecord, ...]:
        """Of all files, the documents too."""
        return (*self.files.values(), *(self.documents or {}).values())

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


def check_bundle_name(out: Path) -> None:
    """See that a folder's name can be a bundle's, before a long job.

    Raises:
        UsageError: if it cannot.
    """
    fault = fault_of_name(out.name)
    if fault is not None:
        raise UsageError(
            f"expected for --out a folder whose name can be a bundle's, found {out.name!a}, a name "
            f"{fault}; choose another"
        )


@dataclass(frozen=True)
class Bundle:
    """An opened bundle whose files were checked against their hashes.

    Attributes:
        signer: whose signature was verified; None without a key to verify with.
    """

    folder: Path
    manifest: Manifest
    signer: Signer | None = field(default=None, compare=False)

    @classmethod
    def open(cls, folder: Path, *, own: bool = False, key: Path | None = None) -> Bundle:
        """Read and check a bundle; its signature too, if there is a key to verify it with.

        Args:
            own: this program has just written it, or is about to sign it: no signature is asked
                for, and its documents may differ from what is recorded.
            key: the public key to verify it with; None is what the environment says.

        Raises:
            BundleError: if the manifest is missing, malformed or newer than this program, or if a
                file is missing, is no regular file, or differs from its recorded size or SHA-256.
            VerificationError: if it is not signed with the key that is configured.
        """
        manifest = _read_manifest(folder)
        for record in manifest.files.values() if own else manifest.records:
            check_record(folder, record)
        _check_outputs(folder, manifest)
        key = key or (None if own else trusted_key())
        signer = None if key is None else verify(folder, signed_names(manifest), key)
        return cls(folder, manifest, signer)

    @property
    def signed(self) -> bool:
        """Whether it has a signature, of whomever."""
        return _is_signed(self.folder)

    @property
    def maker(self) -> str:
        """Who made it, in words, as far as it is known."""
        if self.signer is not None:
            return f"signed with {self.signer}"
        if self.signed:
            return "signed, not verified: give the public key with --verify-key"
        return "not signed, so nobody vouches for it"

    def refuse_change(self) -> None:
        """Raises OutputError if it is signed: before a long job, not after it."""
        _refuse_signed(self.folder)

    def document(self, kind: DocumentKind) -> bytes | None:
        """The card or the curve, as it is recorded; None if there is none.

        Of a bundle from before they were recorded, what lies there.

        Raises:
            BundleError: if it is no regular file, too large, or not what is recorded.
        """
        path, recorded = self.folder / DOCUMENTS[kind], self.manifest.documents
        if recorded is not None and kind not in recorded:
            return None
        if recorded is None and not path.is_symlink() and not path.exists():
            return None
        data = read_plain(path, LARGEST_DOCUMENT)
        if recorded is not None and sha256(data) != recorded[kind].sha256:
            raise BundleError(changed(path))
        return data

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

        Raises:
            OutputError: if they cannot be written, or the bundle is signed.
        """
        files = dict(self.manifest.files)
        for kind, data in contents.items():
            files[kind] = FileRecord(path=FILES[kind], size=len(data), sha256=sha256(data))
        with locked(self.folder):
            _refuse_signed(self.folder)
            reads = () if contents else _read_manifest(self.folder).reads
            named = {FILES[kind]: data for kind, data in contents.items()}
            return _write(self.folder, named, self.manifest, **changes, files=files, reads=reads)

    def with_documents(self, card: bytes | None = None, *, signed: bool = False) -> Bundle:
        """Record the card and the learning curve that lie in the folder.

        Args:
            card: a new ``README.md``; None leaves what is there.
            signed: it is, and is about to be signed anew.

        Raises:
            BundleError: if one of them is no regular file, or far too large.
            OutputError: if it cannot be written, or the bundle is signed.
        """
        contents = {} if card is None else {DOCUMENTS["card"]: card}
        with locked(self.folder):
            if not signed:
                _refuse_signed(self.folder)
            found = document_records(self.folder)
            if card is not None:
                name = DOCUMENTS["card"]
                found["card"] = FileRecord(path=name, size=len(card), sha256=sha256(card))
            return _write(self.folder, contents, _read_manifest(self.folder), documents=found)

    def count_read(self, split: str, fingerprint: str) -> Bundle:
        """Write into the manifest that the model files are tried on a split once more.

        Other processes that count at the same time wait, so that no read is lost.

        Args:
            fingerprint: of the dataset that the split belongs to.

        Raises:
            OutputError: if the manifest cannot be written, or the bundle is signed.
        """
        with locked(self.folder):
            _refuse_signed(self.folder)
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


def signed_names(manifest: Manifest) -> tuple[str, ...]:
    """The files that a signature covers: the manifest, and all that it records."""
    return (MANIFEST, *(record.path for record in manifest.records))


def _is_signed(folder: Path) -> bool:
    path = folder / SIGNATURE
    return path.is_symlink() or path.exists()


def _refuse_signed(folder: Path) -> None:
    if _is_signed(folder):
        raise OutputError(
            f"{folder} is signed, and a change would break its signature; remove {SIGNATURE} "
            "there first, and sign it again afterwards"
        )


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        content = parse_json(read_plain(path, _LARGEST_MANIFEST))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            f"{folder} is not a bundle: expected a folder with {MANIFEST}; "
            "make one with `edgecxr train`"
        ) from error
    except ValueError as error:
        raise BundleError(f"{path} cannot be read as JSON: {error}; restore it") from error
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise BundleError(
            f"{path} has version {version}, and this edgecxr reads up to {MANIFEST_VERSION}; "
            "update edgecxr"
        )
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise BundleError(f"{path} is not a valid manifest: {place}: {said}") from error
    _check_texts(path, content)
    _check_sizes(path, manifest)
    return manifest


def _texts(content: Any) -> Iterator[str]:
    """All strings of a JSON value, however deep, the names of its fields too."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += [*value, *value.values()]


def _check_texts(path: Path, content: Any) -> None:
    """Whatever of a manifest is shown somewhere: nothing in it moves a terminal's cursor."""
    content = {name: value for name, value in content.items() if name != "notice"}
    for text in _texts(content):
        if len(text) > _LONGEST_TEXT or one_line(text) != text:
            raise BundleError(
                f"{path} is not a valid manifest: expected texts of at most {_LONGEST_TEXT:,} "
                f"characters that can be printed, found {shortened(text)!a}"
            )


def _check_sizes(path: Path, manifest: Manifest) -> None:
    steps, shape = manifest.preprocessing, manifest.input
    if (steps.height, steps.width) != (shape.height, shape.width):
        raise BundleError(
            f"{path} is not a valid manifest: its preprocessing makes images of {steps.height}×"
            f"{steps.width} pixels for a model that takes {shape.height}×{shape.width}"
        )


def _check_outputs(folder: Path, manifest: Manifest) -> None:
    for kind in ("int8", "float32"):
        record = manifest.files.get(kind)
        outputs = None if record is None else count_outputs(folder / record.path)
        if outputs is not None and outputs != len(manifest.labels):
            raise BundleError(
                f"{folder / FILES[kind]} has {outputs} outputs, and the manifest "
                f"{len(manifest.labels)} labels; expected one label for each output: get the "
                "bundle again"
            )
