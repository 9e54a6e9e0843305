# SPDX-License-Identifier: Apache-2.0
"""The results that a report is made from: bundles, and the JSON that other commands print."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgecxr.core.bundle import DOCUMENTS, Bundle
from edgecxr.core.evidence import Evidence
from edgecxr.core.files import parse_json
from edgecxr.core.metrics import Evaluation
from edgecxr.core.result import BenchResult
from edgecxr.errors import DataError, UsageError

_Model = TypeVar("_Model", bound=BaseModel)


class _Some(BaseModel):
    """Fields that a report shows; what else a file holds is left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class PlanLayer(_Some):
    name: str
    op: str
    shape: tuple[int, ...]
    macs: int
    live_bytes: int
    plain_live_bytes: int
    constant_bytes: int


class MemoryPlan(_Some):
    """``plan.json`` of ``edgecxr export --format c``; sizes in bytes."""

    model_sha256: str = ""
    labels: tuple[str, ...] = ()
    arena_bytes: int
    plain_arena_bytes: int
    constant_bytes: int
    macs: int
    streamed_layers: int
    layers: tuple[PlanLayer, ...]


class EngineLayer(_Some):
    name: str
    op: str
    shape: str
    macs: int
    instructions: int


class EngineRow(_Some):
    """One compiled model in an emulated board; RAM is all of it, the stack included."""

    board: str
    core: str
    kernels: str = ""
    compiler: str = ""
    precision: str
    model: str
    macs: int
    instructions: int
    ram_bytes: int
    stack_bytes: int
    code_bytes: int
    flash_bytes: int
    layers: tuple[EngineLayer, ...] = ()


class Engine(_Some):
    """``benchmarks/results/engine.json``."""

    rows: tuple[EngineRow, ...]


class Compared(Evaluation):
    """What ``edgecxr evaluate --json`` prints; ``model`` is the folder that it was given."""

    model: str = ""


class AuditFinding(_Some):
    kind: str
    severity: str
    sets: tuple[str, ...]
    what: str
    why: str
    do: str


class AuditedSet(_Some):
    name: str
    images: int
    splits: dict[str, int]


class Audit(_Some):
    """What ``edgecxr data audit --json`` prints."""

    sets: tuple[AuditedSet, ...]
    findings: tuple[AuditFinding, ...]


class SweepSetting(_Some):
    setting: str
    seeds: tuple[int, ...]
    validation: Evidence
    test: Evidence | None = None


class Sweep(_Some):
    """``sweep.json``."""

    summary: tuple[SweepSetting, ...]
    chosen: str | None = None


@dataclass(frozen=True)
class Card:
    """A bundle as a report shows it: its manifest, and what lies beside it.

    Attributes:
        curve: a dict of floats for each epoch, by column; empty without the file.
        readme: the model card as Markdown; empty without one.
    """

    bundle: Bundle
    curve: tuple[dict[str, float], ...]
    readme: str


@dataclass
class Inputs:
    """Everything that was given, by kind, in the order given."""

    cards: list[Card] = field(default_factory=list)
    evaluations: list[Compared] = field(default_factory=list)
    benches: list[BenchResult] = field(default_factory=list)
    plans: list[MemoryPlan] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)


def read_inputs(paths: Sequence[Path]) -> Inputs:
    """Read and check all results.

    Raises:
        BundleError: if a bundle is damaged.
        DataError: if a file cannot be read, or is no result of edgecxr.
        UsageError: if nothing was given.
    """
    if not paths:
        raise UsageError("expected at least one result, found none; name a bundle or a JSON file")
    found = Inputs()
    for path in paths:
        if path.is_dir():
            found.cards.append(_card(path))
        else:
            _add(found, path, _read_json(path))
    return found


def _card(folder: Path) -> Card:
    bundle = Bundle.open(folder)
    card = bundle.document("card") or b""
    return Card(bundle, _curve(bundle), card.decode(errors="replace"))


def _curve(bundle: Bundle) -> tuple[dict[str, float], ...]:
    path = bundle.folder / DOCUMENTS["curve"]
    try:
        table = io.StringIO((bundle.document("curve") or b"").decode(), newline="")
        rows = tuple({k: float(v) for k, v in row.items()} for row in csv.DictReader(table))
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(
            f"expected a table of numbers in {path}, found something else ({error}); "
            "restore it, or remove it to do without"
        ) from error
    wanted = {"epoch", "train_loss", "val_loss", "train_accuracy", "val_accuracy"}
    if rows and not wanted <= rows[0].keys():
        raise DataError(
            f"expected the columns {', '.join(sorted(wanted))} in {path}, found "
            f"{', '.join(rows[0])}; restore it, or remove it to do without"
        )
    return rows


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"expected a bundle or a JSON file, found nothing at {path}; name one that is there"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"expected the JSON of an edgecxr command in {path}, found something else ({error}); "
            "print it with --json"
        ) from error
    if isinstance(content, dict):
        return content
    raise DataError(f"expected a JSON object in {path}, found {type(content).__name__}; {_KINDS}")


_KINDS = (
    "give a bundle, what evaluate, bench or data audit print with --json, plan.json of export, "
    "sweep.json, or engine.json"
)


def _add(found: Inputs, path: Path, content: dict[str, Any]) -> None:
    """Tell the kind of a file by the fields that only this kind has."""
    if "error" in content and "exit_code" in content:
        raise DataError(f"{path} holds an error, not a result: {content['error']}; run that again")
    if "confusion" in str(content.get("int8", ""))[:10_000] and "verdict" in content:
        known = {k: v for k, v in content.items() if k in Compared.model_fields}
        found.evaluations.append(_checked(Compared, known, path))
    elif "measured_at" in content and "rows" in content:
        found.benches.append(_checked(BenchResult, content, path))
    elif "arena_bytes" in content and "layers" in content:
        found.plans.append(_checked(MemoryPlan, content, path))
    elif "findings" in content and "sets" in content:
        found.audits.append(_checked(Audit, content, path))
    elif "trials" in content and "summary" in content:
        found.sweeps.append(_checked(Sweep, content, path))
    elif "rows" in content:
        found.engines.append(_checked(Engine, content, path))
    else:
        raise DataError(f"{path} is no result that a report can show; {_KINDS}")


def _checked(kind: type[_Model], content: dict[str, Any], path: Path) -> _Model:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(
            f"{path} is not what this edgecxr prints: {place}: {first['msg']}; make it again"
        ) from error
