# SPDX-License-Identifier: Apache-2.0
"""``edgecxr classify``: X-rays → labels, on this host or on a device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecxr.cli import common
from edgecxr.cli.bench import PrecisionName

if TYPE_CHECKING:
    from edgecxr.bench.classify import Answer, Classifier
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import Classified

BAR = 24
LOOK_EVERY_S = 0.5


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
            help="host, serial, a serial port, a URL or emulator:BOARD.", show_default="host"
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
    timeout: common.TimeoutOption = 10.0,
    as_json: common.JsonOption = False,
) -> None:
    """Classify images: label or "uncertain", scores, latency, and whether a device agrees.

    "uncertain" is an image whose top score is below the bundle's threshold. The confidence is
    calibrated, and the possible classes hold the true one at the level that is shown; see
    `edgecxr calibrate`.

    For research and teaching. Not a medical device.

    An image that cannot be read is named, and the others go on. With --watch and --json, each
    image is one line of JSON.
    """
    from edgecxr.cli.devices import resolve
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.result import ClassifyResult
    from edgecxr.errors import UsageError

    if not images and watch is None:
        raise UsageError("expected images or --watch FOLDER, found neither; name an image file")
    (name,) = resolve([device] if device else None, port)
    bundle = Bundle.open(model)
    failures = _Failures()
    with _opened(name, bundle, precision, timeout) as (classifier, kind):
        results = partial(_results, bundle=bundle, kind=kind, classifier=classifier)
        found = results(images or [], failures=failures)
        if as_json and watch is None:
            common.print_json(
                ClassifyResult(
                    model=bundle.manifest.name,
                    model_sha256=bundle.manifest.files[kind].sha256,
                    device=name,
                    notice=_notice(bundle),
                    level=_level(bundle),
                    results=tuple(found),
                )
            )
            failures.leave()
            return
        if not as_json:
            typer.echo(f"{_notice(bundle)}\n")
        _show(found, as_json, _level(bundle))
        if watch is not None:
            common.note(f"Watching {watch}; Ctrl-C ends it")
            _show(results(_landed(watch), failures=failures), as_json, _level(bundle))
    failures.leave()


class _Failures:
    """What went wrong on the way, for the exit code."""

    unreadable = 0
    disagreed = 0
    decided_otherwise = 0

    def leave(self) -> None:
        from edgecxr.errors import DataError, VerificationError

        if self.disagreed:
            common.note(
                "edgecxr: expected the device to agree with this host, found that it does not; "
                "measure it with `edgecxr bench`"
            )
            raise typer.Exit(VerificationError.exit_code)
        if self.decided_otherwise:
            common.note(
                "edgecxr: expected the device to decide as the bundle's rules do, found that it "
                "does not; flash it again, so that it gets the bundle's thresholds"
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
) -> Iterator[tuple[Classifier, Precision]]:
    """The classifier, and which of the bundle's models it runs."""
    from edgecxr.bench.classify import OnDevice, OnHost
    from edgecxr.cli.devices import HOST, check_firmware, opened

    kind: Precision = (precision or PrecisionName.int8).value
    if name == HOST:
        yield OnHost(bundle.path(kind)), kind
        return
    wanted: list[Precision] = [each.value for each in ([precision] if precision else PrecisionName)]
    with opened(name, bundle, kind, timeout) as device:
        kind = check_firmware(device, bundle, wanted)
        yield OnDevice(device, bundle.path(kind)), kind


def _results(
    paths: Iterable[Path],
    *,
    bundle: Bundle,
    kind: Precision,
    classifier: Classifier,
    failures: _Failures,
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
        answer = classifier.classify(pixels)
        failures.disagreed += answer.agrees is False
        decided = _decided(answer, bundle, kind)
        failures.decided_otherwise += decided.get("same_decision") is False
        shares = [round(float(score), 6) for score in answer.scores]
        yield Classified(
            file=str(path),
            label=labels[int(answer.scores.argmax())],
            scores=dict(zip(labels, shares, strict=True)),
            latency_ms=answer.latency_ms,
            instructions=answer.instructions,
            agrees_with_host=answer.agrees,
            bit_exact_with_host=answer.bit_exact,
            **decided,
        )


def _decided(answer: Answer, bundle: Bundle, kind: Precision) -> dict[str, Any]:
    """What the bundle's rules say, and whether the device says it too."""
    from edgecxr.bench.on_device import decides_alike

    labels = bundle.manifest.labels
    verdict = bundle.manifest.verdict(kind, answer.raw)
    if verdict is None:
        return {}
    on_host = answer.agrees is None
    return {
        "confidence": round(verdict.confidence, 6),
        "uncertain": verdict.uncertain,
        "possible": tuple(labels[index] for index in verdict.included),
        "same_decision": None if on_host else decides_alike(answer.decision, verdict, labels),
    }


def _level(bundle: Bundle) -> float | None:
    decision = bundle.manifest.decision
    return None if decision is None else decision.level


def _notice(bundle: Bundle) -> str:
    made = " Trained on synthetic images." if bundle.manifest.synthetic_data else ""
    return bundle.manifest.notice + made


def _show(results: Iterable[Classified], as_json: bool, level: float | None) -> None:
    """Each result as soon as it is there."""
    for result in results:
        if as_json:
            typer.echo(result.model_dump_json())
        elif result.scores is not None:
            typer.echo(_text(result, result.scores, level))


def _text(result: Classified, scores: dict[str, float], level: float | None) -> str:
    width = max(len(label) for label in scores)
    label = f"uncertain, perhaps {result.label}" if result.uncertain else result.label
    lines = [f"{result.file}: {label}"]
    for label, score in scores.items():
        filled = round(score * BAR)
        bar = "█" * filled + "·" * (BAR - filled)
        lines.append(f"  {label:<{width}}  {bar} {100 * score:5.1f} %")
    if result.confidence is not None and result.possible is not None and level is not None:
        possible = ", ".join(result.possible)
        lines.append(
            f"  confidence {100 * result.confidence:.1f} %, calibrated; "
            f"possible at {100 * level:g} %: {possible}"
        )
    lines.append(f"  {_cost(result)}{_agreement(result)}\n")
    return "\n".join(lines)


def _cost(result: Classified) -> str:
    if result.instructions is not None:
        return f"{result.instructions:,} instructions"
    return "no latency" if result.latency_ms is None else f"{result.latency_ms:.2f} ms"


def _agreement(result: Classified) -> str:
    if result.agrees_with_host is None:
        return ""
    if result.same_decision is False:
        return "; the device DECIDES OTHERWISE than the bundle's rules"
    if result.bit_exact_with_host:
        return "; this host agrees, bit for bit"
    if result.agrees_with_host:
        return "; this host agrees, within rounding"
    return "; this host DISAGREES"
