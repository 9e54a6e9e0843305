# SPDX-License-Identifier: Apache-2.0
"""``edgecxr classify``: X-rays → labels, on this host or on a device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecxr.cli import common, complete
from edgecxr.cli.common import PrecisionName
from edgecxr.cli.terminal import show
from edgecxr.core.text import NOTICE, one_line

if TYPE_CHECKING:
    from edgecxr.bench.classify import Answer, Classifier
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import Classified

BAR = 24
LOOK_EVERY_S = 0.5
_STYLES = {
    r"^.*": "bold",
    r"(?<=: )uncertain": "yellow",
    r"█+": "cyan",
    r"·+": "dim",
    r"DISAGREES|DECIDES OTHERWISE": "bold red",
}
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
            autocompletion=complete.device,
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

    if not (images or watch or demo):
        raise UsageError(
            "expected images, --watch FOLDER or --demo, found none; name an image file"
        )
    (name,) = resolve([device] if device else None, port)
    bundle = Bundle.open(model)
    with _opened(name, bundle, precision, timeout) as session:
        shown = session.demo() if demo else iter(())
        found = chain(shown, session.results(images or []))
        if as_json and watch is None:
            common.print_json(
                ClassifyResult(
                    model=bundle.manifest.name,
                    model_sha256=bundle.manifest.files[session.kind].sha256,
                    device=name,
                    notice=_notice(bundle, demo),
                    level=_level(bundle),
                    results=tuple(found),
                )
            )
            session.failures.leave()
            return
        if not as_json:
            common.say(f"{_notice(bundle, demo)}\n")
        _show(found, as_json, _level(bundle))
        if watch is not None:
            common.note(f"Watching {watch}; Ctrl-C ends it")
            _show(session.results(_landed(watch)), as_json, _level(bundle))
    session.failures.leave()


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
) -> Iterator[Session]:
    from edgecxr.bench.classify import OnDevice, OnHost
    from edgecxr.cli.devices import HOST, check_firmware, opened

    kind: Precision = precision.value if precision else bundle.default
    if name == HOST:
        yield Session(bundle, kind, OnHost(bundle.path(kind)), on_host=True)
        return
    wanted: list[Precision] = [precision.value] if precision else list(bundle.precisions)
    with opened(name, bundle, kind, timeout) as device:
        kind = check_firmware(device, bundle, wanted)
        yield Session(bundle, kind, OnDevice(device, bundle.path(kind)), on_host=False)


@dataclass
class Session:
    """What is asked, and of what. ``kind``: which of the bundle's models runs."""

    bundle: Bundle
    kind: Precision
    classifier: Classifier
    on_host: bool
    failures: _Failures = field(default_factory=_Failures)

    def results(self, paths: Iterable[Path]) -> Iterator[Classified]:
        from edgecxr.core.result import Classified
        from edgecxr.errors import DataError

        for path in paths:
            try:
                pixels = self.bundle.manifest.preprocessing.load(path)
            except DataError as error:
                self.failures.unreadable += 1
                common.note(f"edgecxr: {error}")
                yield Classified(file=str(path), error=str(error))
                continue
            yield self.classified(str(path), self.classifier.classify(pixels))

    def demo(self) -> Iterator[Classified]:
        from edgecxr.cli.demo_images import demo_pixels

        shape = self.bundle.manifest.input
        for name, answer in self.classifier.demo(demo_pixels(shape.height, shape.width)):
            yield self.classified(name, answer)

    def classified(self, name: str, answer: Answer) -> Classified:
        from edgecxr.core.result import Classified

        labels = self.bundle.manifest.labels
        decided = self._decided(answer)
        self.failures.disagreed += answer.agrees is False
        self.failures.decided_otherwise += decided.get("same_decision") is False
        shares = [round(float(score), 6) for score in answer.scores]
        return Classified(
            file=name,
            label=labels[int(answer.scores.argmax())],
            scores=dict(zip(labels, shares, strict=True)),
            latency_ms=answer.latency_ms,
            instructions=answer.instructions,
            agrees_with_host=answer.agrees,
            bit_exact_with_host=answer.bit_exact,
            **decided,
        )

    def _decided(self, answer: Answer) -> dict[str, Any]:
        """What the bundle's rules say of these scores, and whether the device says it too."""
        from edgecxr.bench.on_device import decides_alike

        labels = self.bundle.manifest.labels
        ours = self.bundle.manifest.verdict(self.kind, answer.raw)
        if ours is None:
            return {}
        same = None if self.on_host else decides_alike(answer.decision, ours, labels)
        return {
            "confidence": round(ours.confidence, 6),
            "uncertain": ours.uncertain,
            "possible": tuple(labels[index] for index in ours.included),
            "same_decision": same,
        }


def _level(bundle: Bundle) -> float | None:
    decision = bundle.manifest.decision
    return None if decision is None else decision.level


def _notice(bundle: Bundle, demo: bool) -> str:
    made = " Trained on synthetic images." if bundle.manifest.synthetic_data else ""
    shown = f" {_DEMO_NOTICE}" if demo else ""
    return NOTICE + made + shown


def _show(results: Iterable[Classified], as_json: bool, level: float | None) -> None:
    """Each result as soon as it is there."""
    for result in results:
        if as_json:
            common.print_json_line(result)
        elif result.scores is not None:
            show(text_of(result, result.scores, level), styles=_STYLES)


def text_of(result: Classified, scores: dict[str, float], level: float | None) -> str:
    """One image for a person: the label, a bar for each score, and what it took."""
    scores = {one_line(label): score for label, score in scores.items()}  # an .eim has any
    width = max(len(label) for label in scores)
    label = f"uncertain, perhaps {result.label}" if result.uncertain else result.label
    lines = [one_line(f"{result.file}: {label}")]
    for label, score in scores.items():
        filled = round(score * BAR)
        bar = "█" * filled + "·" * (BAR - filled)
        lines.append(f"  {label:<{width}}  {bar} {100 * score:5.1f} %")
    if result.confidence is not None and result.possible is not None and level is not None:
        possible = ", ".join(map(one_line, result.possible))
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
