# SPDX-License-Identifier: Apache-2.0
"""``edgecxr card``: a model card into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecxr.cli import common
from edgecxr.core.text import one_line


def card(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    text: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="The card, Markdown (default: the README.md that lies in the bundle).",
            show_default=False,
        ),
    ] = None,
    as_json: common.JsonOption = False,
) -> None:
    """Put a model card into a bundle, and record its SHA-256 and that of the learning curve.

    A bundle is refused if one of them was changed afterwards; this records them anew.
    """
    from edgecxr.core.bundle import Bundle

    bundle = Bundle.open(model, own=True)
    made = bundle.with_documents(None if text is None else _read(text))
    records = made.manifest.documents or {}
    if as_json:
        sums = {record.path: record.sha256 for record in records.values()}
        common.print_json({"model": str(model), "recorded": sums})
        return
    names = ", ".join(record.path for record in records.values()) or "nothing: there is none"
    common.say(f"{one_line(str(model))}: recorded {names}")


def _read(path: Path) -> bytes:
    """Raises UsageError if it is no text of a size that a card may have."""
    from edgecxr.core.files import read_regular
    from edgecxr.core.record import LARGEST_DOCUMENT
    from edgecxr.errors import UsageError

    try:
        data = read_regular(path.resolve(), LARGEST_DOCUMENT)
        data.decode()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise UsageError(f"expected a card in Markdown at {path}, found none: {said}") from error
    return data
