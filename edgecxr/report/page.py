# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that needs no network, and its short form as Markdown."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from edgecxr.core.metrics import Evaluation
from edgecxr.core.result import bench_parts, percent
from edgecxr.core.table import Table, plain
from edgecxr.core.text import NOTICE, one_line
from edgecxr.core.text import markdown as _plain
from edgecxr.errors import OutputError
from edgecxr.optional import require
from edgecxr.report.about import About, context
from edgecxr.report.inputs import Inputs
from edgecxr.report.subjects import Subject, subjects

LARGEST_BYTES = 3_000_000
SECTIONS = (
    ("comparison", "float32 and int8"),
    ("curves", "ROC"),
    ("reliability", "Reliability"),
    ("learning", "Learning"),
    ("latency", "Latency"),
    ("memory", "Memory"),
    ("plan", "Memory plan"),
    ("layers", "Layers"),
    ("explorer", "Features"),
    ("mistakes", "Mistakes"),
    ("card", "Model card"),
    ("repeat", "Repeat it"),
)
"""Of each model: the place, and its name in the navigation."""


@dataclass(frozen=True)
class Wanted:
    """What else a page is made from.

    Attributes:
        command: the words of the command that made it.
        versions: of packages, by name.
        about: what is known of each bundle, in their order; what is left out is not known.
        images: whether images of data sets may stand in the page.
    """

    command: Sequence[str]
    versions: dict[str, str]
    about: Sequence[About] = field(default_factory=tuple)
    images: bool = True

    def of(self, place: int) -> About:
        return self.about[place] if place < len(self.about) else About()


def html(inputs: Inputs, wanted: Wanted) -> str:
    """The whole page.

    Raises:
        MissingPackageError: if a package of the extra ``report`` is missing.
        OutputError: if the page is larger than 3 MB, so that it would not open quickly.
    """
    require("jinja2", extra="report")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("edgecxr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["ticked"] = _ticked
    script = _text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = _context(inputs, wanted)
    for model in shown["models"]:
        model["html"] = environment.get_template("subject.html").render(**model)
    page = environment.get_template("page.html").render(
        **shown, style=_text("page.css"), script=script, script_sha256=digest
    )
    if len(page.encode()) > LARGEST_BYTES:
        raise OutputError(
            f"expected a page of at most {LARGEST_BYTES:,} bytes, found {len(page.encode()):,}; "
            "pass --no-images, or fewer results"
        )
    return page


def _ticked(text: str) -> Any:
    """What stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _text(name: str) -> str:
    return resources.files("edgecxr.report").joinpath("templates", name).read_text("utf-8")


def _context(inputs: Inputs, wanted: Wanted) -> dict[str, Any]:
    found = subjects(inputs)
    share = 1 / max(1, sum(wanted.of(i).seen is not None for i in range(len(found))))
    models = [
        context(
            subject,
            wanted.of(i),
            key=f"m{i + 1}-" if i else "",  # one model's places have their plain names
            images=wanted.images,
            share=share,
        )
        for i, subject in enumerate(found)
    ]
    return {
        "notice": NOTICE,
        "title": ", ".join(subject.name for subject in found),
        "sections": SECTIONS,
        "models": models,
        "pictures": any(model["pictures"] for model in models),
        "audits": inputs.audits,
        "sweeps": inputs.sweeps,
        "command": shlex.join(wanted.command),
        "versions": wanted.versions,
    }


def markdown(inputs: Inputs, wanted: Wanted) -> str:
    """The short form: of each model the verdict, the figures of both precisions and what was
    measured; then the command."""
    parts = [f"**{NOTICE}**"]
    for place, subject in enumerate(subjects(inputs)):
        parts += _short(subject, wanted.of(place))
    for audit in inputs.audits:
        found = [f"- **{f.severity}** {_plain(f.what)}. {_plain(f.do)}." for f in audit.findings]
        sets = ", ".join(_plain(each.name) for each in audit.sets)
        parts += [f"## Audit of {sets}", "\n".join(found) or "Nothing was found."]
    parts += ["## This report", _code([shlex.join(wanted.command)])]
    return "\n\n".join(parts) + "\n"


def _short(subject: Subject, about: About) -> list[str]:
    parts = [f"## {_plain(subject.name)}"]
    if subject.manifest and subject.manifest.synthetic_data:
        parts.append("SYNTHETIC data: these figures say nothing about X-rays.")
    evaluation = subject.evaluation or (about.seen.evaluation if about.seen else None)
    if evaluation is not None:
        images = f"{evaluation.images} images of split {_plain(evaluation.split)}."
        parts += [f"{images} {_plain(evaluation.verdict)}", _figures(evaluation)]
    parts += [plain(bench_parts(each, markdown=True), markdown=True) for each in subject.benches]
    if about.commands:
        parts += ["To make the model again:", _code(about.commands)]
    return parts


def _code(lines: Sequence[str]) -> str:
    """Fenced: what is indented after a list would belong to it."""
    text = "\n".join(map(one_line, lines))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return "\n".join([f"{fence}sh", text, fence])


def _figures(evaluation: Evaluation) -> str:
    both = (evaluation.float32, evaluation.int8)
    spans = [f"{percent(f.accuracy_ci95[0])}–{percent(f.accuracy_ci95[1])}" for f in both]
    rows = [
        [
            "accuracy, % (95 % Wilson)",
            *(f"{percent(f.accuracy)} ({span})" for f, span in zip(both, spans, strict=True)),
        ],
        ["balanced accuracy, %", *(percent(f.balanced_accuracy) for f in both)],
        ["macro F1", *(f"{f.macro_f1:.3f}" for f in both)],
        ["AUC", *("–" if f.auc is None else f"{f.auc:.3f}" for f in both)],
    ]
    return plain(Table(["", "float32", "int8"], rows), markdown=True)
