# SPDX-License-Identifier: Apache-2.0
"""``edgecxr classify``: X-rays → labels, on this host or on a device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.common import PrecisionName

if TYPE_CHECKING:
    from edgecxr.bench.classify import Answer, Classifier
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import Classified

BAR = 24
LOOK_EVERY_S = 0.5
_DEMO_NOTICE = "The demo's images are synthetic: what a model finds in them is not right or wrong."


def classify(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE...", help="Image files.")
    ] = None,
    model: Annotated[Path, typer.Option(metavar="BUNDLE", help="A bundle folder.")] = Path(
        "models/cxr3"
    ),
    device: Annotated[
        str | None,
        typer.Option(
            help="host, serial, a serial port, a URL, unix:PATH or emulator:BOARD.",
            show_default="host",
        ),
    ] = None,
    port: common.PortOption = None,
    precision: Annotated[
        PrecisionName | None,
        typer.Option(
            help="Which of the bundle's models, on the host or an emulator.", show_default="int8"
        ),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Classify whatever lands in this folder, until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Classify the synthetic images that are built into the device's firmware. They "
            "show that it works; its labels for them mean nothing.",
        ),
    ] = False,
    timeout: common.TimeoutOption = 10.0,
    as_json: common.JsonOption = False,
) -> None:
    """Classify images: label, scores, latency, and whether a device agrees with this host.

    For research and teaching. Not a medical device.

    An image that cannot be read is named, and the others go on. With --watch and --json, each
    image is one line of JSON.
    """
    from edgecxr.cli.devices import resolve
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.result import ClassifyResult
    from edgecxr.errors import UsageError

    if not (images or watch or demo):
        raise UsageError(
            "expected images, --watch FOLDER or --demo, found none; name an image file"
        )
    (name,) = resolve([device] if device else None, port)
    bundle = Bundle.open(model)
    failures = _Failures()
    with _opened(name, bundle, precision, timeout) as (classifier, sha256):
        shown = _demo(bundle, classifier, failures) if demo else iter(())
        found = chain(shown, _results(images or [], bundle, classifier, failures))
        if as_json and watch is None:
            common.print_json(
                ClassifyResult(
                    model=bundle.manifest.name,
                    model_sha256=sha256,
                    device=name,
                    notice=_notice(bundle, demo),
                    results=tuple(found),
                )
            )
            failures.leave()
            return
        if not as_json:
            typer.echo(f"{_notice(bundle, demo)}\n")
        _show(found, as_json)
        if watch is not None:
            common.note(f"Watching {watch}; Ctrl-C ends it")
            _show(_results(_landed(watch), bundle, classifier, failures), as_json)
    failures.leave()


class _Failures:
    """What went wrong on the way, for the exit code."""

    unreadable = 0
    disagreed = 0

    def leave(self) -> None:
        from edgecxr.errors import DataError, VerificationError

        if self.disagreed:
            common.note(
                "edgecxr: expected the device to agree with this host, found that it does not; "
                "measure it with `edgecxr bench`"
            )
            raise typer.Exit(VerificationError.exit_code)
        if self.unreadable:
            raise typer.Exit(DataError.exit_code)


def _landed(folder: Path) -> Iterator[Path]:
    from edgecxr.cli.watch import arrivals

    return arrivals(folder, lambda: time.sleep(LOOK_EVERY_S))


@contextmanager
def _opened(
    name: str, bundle: Bundle, precision: PrecisionName | None, timeout: float
) -> Iterator[tuple[Classifier, str]]:
    """The classifier, and the SHA-256 of the model that it runs."""
    from edgecxr.bench.classify import OnDevice, OnHost
    from edgecxr.cli.devices import HOST, check_firmware, opened
    from edgecxr.core.files import sha256

    kind: Precision = (precision or PrecisionName.int8).value
    if name == HOST:
        yield OnHost(bundle.path(kind)), sha256(bundle.path(kind))
        return
    wanted: list[Precision] = [each.value for each in ([precision] if precision else PrecisionName)]
    with opened(name, bundle, kind, timeout) as device:
        running = bundle.path(check_firmware(device, bundle, wanted))
        yield OnDevice(device, running), sha256(running)


def _results(
    paths: Iterable[Path], bundle: Bundle, classifier: Classifier, failures: _Failures
) -> Iterator[Classified]:
    from edgecxr.core.result import Classified
    from edgecxr.errors import DataError

    labels = bundle.manifest.labels
    for path in paths:
        try:
            pixels = bundle.manifest.preprocessing.load(path)
        except DataError as error:
            failures.unreadable += 1
            common.note(f"edgecxr: {error}")
            yield Classified(file=str(path), error=str(error))
            continue
        yield _classified(str(path), classifier.classify(pixels), labels, failures)


def _demo(bundle: Bundle, classifier: Classifier, failures: _Failures) -> Iterator[Classified]:
    from edgecxr.cli.demo import demo_pixels

    shape = bundle.manifest.input
    for name, answer in classifier.demo(demo_pixels(shape.height, shape.width)):
        yield _classified(name, answer, bundle.manifest.labels, failures)


def _classified(
    name: str, answer: Answer, labels: Sequence[str], failures: _Failures
) -> Classified:
    from edgecxr.core.result import Classified

    failures.disagreed += answer.agrees is False
    shares = [round(float(score), 6) for score in answer.scores]
    return Classified(
        file=name,
        label=labels[int(answer.scores.argmax())],
        scores=dict(zip(labels, shares, strict=True)),
        latency_ms=answer.latency_ms,
        instructions=answer.instructions,
        agrees_with_host=answer.agrees,
        bit_exact_with_host=answer.bit_exact,
    )


def _notice(bundle: Bundle, demo: bool) -> str:
    made = " Trained on synthetic images." if bundle.manifest.synthetic_data else ""
    shown = f" {_DEMO_NOTICE}" if demo else ""
    return bundle.manifest.notice + made + shown


def _show(results: Iterable[Classified], as_json: bool) -> None:
    """Each result as soon as it is there."""
    for result in results:
        if as_json:
            typer.echo(result.model_dump_json())
        elif result.scores is not None:
            typer.echo(_text(result, result.scores))


def _text(result: Classified, scores: dict[str, float]) -> str:
    width = max(len(label) for label in scores)
    lines = [f"{result.file}: {result.label}"]
    for label, score in scores.items():
        filled = round(score * BAR)
        bar = "█" * filled + "·" * (BAR - filled)
        lines.append(f"  {label:<{width}}  {bar} {100 * score:5.1f} %")
    lines.append(f"  {_cost(result)}{_agreement(result)}\n")
    return "\n".join(lines)


def _cost(result: Classified) -> str:
    if result.instructions is not None:
        return f"{result.instructions:,} instructions"
    return "no latency" if result.latency_ms is None else f"{result.latency_ms:.2f} ms"


def _agreement(result: Classified) -> str:
    if result.agrees_with_host is None:
        return ""
    if result.bit_exact_with_host:
        return "; this host agrees, bit for bit"
    if result.agrees_with_host:
        return "; this host agrees, within rounding"
    return "; this host DISAGREES"
