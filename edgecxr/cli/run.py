# SPDX-License-Identifier: Apache-2.0
"""``edgecxr run``: anyone's ``.eim`` → what it says of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.classify import text_of
from edgecxr.core.text import NOTICE

if TYPE_CHECKING:
    from edgecxr.bench.eim import Eim
    from edgecxr.core.result import Classified


def run(
    program: Annotated[Path, typer.Argument(metavar="FILE.eim", help="An .eim, anyone's.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    timeout: common.TimeoutOption = 30.0,
    as_json: common.JsonOption = False,
) -> None:
    """Classify images with an .eim, through Edge Impulse's SDK.

    The latency is that of the round trip: the SDK, its socket, and the inference. Images become
    gray pixels of the size and in the way that the .eim asks for.
    """
    from edgecxr.bench.eim import opened_eim
    from edgecxr.core.files import sha256
    from edgecxr.core.result import ClassifyResult
    from edgecxr.errors import DataError

    with opened_eim(program, timeout) as eim:
        found = []
        for result in _results(eim, images):
            found.append(result)
            if not as_json and result.scores is not None:
                common.say(text_of(result, result.scores, None))
        if as_json:
            common.print_json(
                ClassifyResult(
                    model=eim.info.name,
                    model_sha256=eim.info.sha256 or sha256(program),
                    device=str(program),
                    notice=NOTICE,
                    results=tuple(found),
                )
            )
    if any(result.error for result in found):
        raise typer.Exit(DataError.exit_code)


def _results(eim: Eim, images: list[Path]) -> Iterator[Classified]:
    from edgecxr.core.result import Classified
    from edgecxr.errors import DataError

    preprocessing, labels = eim.info.preprocessing, eim.info.labels
    for path in images:
        try:
            pixels = preprocessing.load(path)
        except DataError as error:
            common.note(f"edgecxr: {error}")
            yield Classified(file=str(path), error=str(error))
            continue
        scores, took = eim.classify(pixels)
        shares = [round(float(score), 6) for score in scores]
        yield Classified(
            file=str(path),
            label=labels[int(scores.argmax())],
            scores=dict(zip(labels, shares, strict=True)),
            latency_ms=took,
        )
