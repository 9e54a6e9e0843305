# SPDX-License-Identifier: Apache-2.0
"""What a measurement reports: the rows of ``bench --json``, and the tables made from them.

A figure that was not measured is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from edgecxr.core.table import Bar, Bars, Part, Table
from edgecxr.core.text import one_line

NOT_MEASURED = "–"
MIB = 1024 * 1024


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Latency(_Frozen):
    """Milliseconds of single inferences, and how many there were. ``quantiles``: 0, 5, … 100 %."""

    p50: float
    p95: float
    min: float
    max: float
    runs: int
    warmup: int
    quantiles: tuple[float, ...] = ()

    @classmethod
    def of(cls, milliseconds: NDArray[np.float64], warmup: int) -> Latency:
        """From single inferences, at least one."""
        return cls(
            p50=float(np.percentile(milliseconds, 50)),
            p95=float(np.percentile(milliseconds, 95)),
            min=float(milliseconds.min()),
            max=float(milliseconds.max()),
            runs=len(milliseconds),
            warmup=warmup,
            quantiles=tuple(
                round(float(each), 6) for each in np.percentile(milliseconds, range(0, 101, 5))
            ),
        )


class InterpreterInfo(_Frozen):
    """The package that ran the model, and which of its kernels."""

    name: str
    version: str
    kernels: str


class BenchRow(_Frozen):
    """One model file on one runtime of one device.

    Attributes:
        accuracy_ci95: Wilson interval.
        agreement_with_host: share of images with the same top class as ``compared_with`` has on
            this host, for the same file.
        bit_exact_with_host: share of images whose raw scores are all the same as there.
        max_score_difference: the largest difference of one class score from there, 0 to 1.
        same_decision: share of images of which a board says what the bundle's rules make of its
            scores on this host: the class, "uncertain", and the possible classes.
        compared_with: the host's runtime whose scores count.
        instructions: the median of single inferences, where an emulator counts them.
        flash_bytes, ram_bytes, stack_bytes: of a board's firmware; None on a host. RAM is what
            the linker placed, without the stack; the stack is the most that was used.
        arena_bytes: TFLM's tensor arena, as counted by TFLM on this host; on a board, what the
            firmware reserves for its runtime.
        clock_hz: of a board's processor.
        compiler: of a board's firmware.
        tried_again: exchanges with a board that were lost or damaged, and done again.
        peak_memory_bytes: highest resident memory of the process that ran the model.
        model_memory_bytes: that peak less what the process held before it loaded the model.
        error: why there are no figures, in one sentence.
    """

    device: str
    runtime: str
    precision: Literal["int8", "float32"]
    images: int | None = None
    accuracy: float | None = None
    accuracy_ci95: tuple[float, float] | None = None
    agreement_with_host: float | None = None
    bit_exact_with_host: float | None = None
    max_score_difference: float | None = None
    same_decision: float | None = None
    compared_with: str | None = None
    latency_ms: Latency | None = None
    instructions: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None
    arena_bytes: int | None = None
    clock_hz: int | None = None
    compiler: str | None = None
    tried_again: int | None = None
    peak_memory_bytes: int | None = None
    model_memory_bytes: int | None = None
    model_bytes: int
    model_sha256: str
    interpreter: InterpreterInfo | None = None
    threads: int | None = None
    error: str | None = None


class MachineState(_Frozen):
    """How a machine was at one moment; None for what it does not tell.

    Attributes:
        frequency_mhz: of its first CPU.
        temperature_c: of the processor.
        throttled: the bits of a Raspberry Pi's ``vcgencmd get_throttled``.
    """

    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled: int | None = None


class Host(_Frozen):
    """A machine that ran a benchmark.

    Attributes:
        load_average: over the minute before it.
        before, after: its state when the benchmark began and ended.
        throttled: whether it ran slower than it could at some time of the benchmark, or was near
            it; None where it does not tell.
        throttling: what it says of that, in words.
    """

    cpu: str
    cpus: int
    architecture: str
    governor: str | None
    load_average: float | None
    system: str
    python: str
    before: MachineState | None = None
    after: MachineState | None = None
    throttled: bool | None = None
    throttling: tuple[str, ...] = ()


class DataInfo(_Frozen):
    """The images that accuracy was measured on. ``images`` of ``images_in_split`` were used."""

    source: str
    split: str
    images: int
    images_in_split: int
    skipped_unreadable: int
    fingerprint: str
    synthetic: bool


class BenchResult(_Frozen):
    """The object that ``edgecxr bench --json`` prints.

    Attributes:
        machines: those that were reached over SSH, by the device's name.
    """

    model: str
    measured_at: str
    edgecxr: str
    trained_on_synthetic_data: bool
    data: DataInfo | None
    host: Host
    machines: dict[str, Host] = {}
    notes: tuple[str, ...]
    rows: tuple[BenchRow, ...]


class Classified(_Frozen):
    """What ``edgecxr classify --json`` says of one image.

    Attributes:
        scores: by label, 0 to 1, as the model gives them.
        confidence: that the label is right, calibrated; this and the next two are None for a
            bundle without rules.
        uncertain: whether the top score is below the bundle's threshold.
        possible: the labels of the conformal set.
        same_decision: whether the device says the same of its scores; None where the host itself
            classified.
        agrees_with_host: the same class as on this host, and scores within rounding; None where
            the host itself classified.
        error: why there is no label, in one sentence.
    """

    file: str
    label: str | None = None
    scores: dict[str, float] | None = None
    confidence: float | None = None
    uncertain: bool | None = None
    possible: tuple[str, ...] | None = None
    latency_ms: float | None = None
    instructions: int | None = None
    agrees_with_host: bool | None = None
    bit_exact_with_host: bool | None = None
    same_decision: bool | None = None
    error: str | None = None


class ClassifyResult(_Frozen):
    """The object that ``edgecxr classify --json`` prints. ``level``: of the conformal sets."""

    model: str
    model_sha256: str
    device: str
    notice: str
    level: float | None = None
    results: tuple[Classified, ...]


def percent(share: float | None, digits: int = 1) -> str:
    """A share as per cent, without the sign: the unit stands in the header."""
    return NOT_MEASURED if share is None else f"{100 * share:.{digits}f}"


def _in(unit: int, digits: int, size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / unit:,.{digits}f}"


def _millions(count: int | None) -> str:
    return NOT_MEASURED if count is None else f"{count / 1e6:,.2f}"


def _accuracy(row: BenchRow) -> str:
    if row.accuracy is None or row.accuracy_ci95 is None:
        return NOT_MEASURED
    low, high = row.accuracy_ci95
    return f"{percent(row.accuracy)} ({percent(low)}–{percent(high)})"


def _milliseconds(name: Literal["p50", "p95", "min", "max"]) -> Callable[[BenchRow], str]:
    def cell(row: BenchRow) -> str:
        if row.latency_ms is None:
            return NOT_MEASURED
        return f"{getattr(row.latency_ms, name):.3f}"

    return cell


_COLUMNS: tuple[tuple[str, Callable[[BenchRow], str]], ...] = (
    ("device", lambda row: row.device),
    ("runtime", lambda row: row.runtime),
    ("precision", lambda row: row.precision),
    ("accuracy\n% (95 % CI)", _accuracy),
    ("same\nclass\n%", lambda row: percent(row.agreement_with_host)),
    ("same\nbits\n%", lambda row: percent(row.bit_exact_with_host)),
    ("same\ndecision\n%", lambda row: percent(row.same_decision)),
    ("p50\nms", _milliseconds("p50")),
    ("p95\nms", _milliseconds("p95")),
    ("min\nms", _milliseconds("min")),
    ("max\nms", _milliseconds("max")),
    ("instructions\nmillions", lambda row: _millions(row.instructions)),
    ("model\nbytes", lambda row: _in(1, 0, row.model_bytes)),
    ("flash\nbytes", lambda row: _in(1, 0, row.flash_bytes)),
    ("RAM\nbytes", lambda row: _in(1, 0, row.ram_bytes)),
    ("stack\nbytes", lambda row: _in(1, 0, row.stack_bytes)),
    ("arena\nbytes", lambda row: _in(1, 0, row.arena_bytes)),
    ("peak\nMiB", lambda row: _in(MIB, 1, row.peak_memory_bytes)),
    ("of\nmodel\nMiB", lambda row: _in(MIB, 1, row.model_memory_bytes)),
)
_TEXT_COLUMNS = 3
_ALWAYS = {"device", "runtime", "precision", "model\nbytes"}


def bench_parts(result: BenchResult, *, markdown: bool = False) -> list[Part]:
    """One row per device, runtime and precision, then what the figures mean.

    Columns in which nothing was measured are left out.
    """
    done = [row for row in result.rows if row.error is None]
    kept = [
        (header, cell)
        for header, cell in _COLUMNS
        if header in _ALWAYS or any(cell(row) != NOT_MEASURED for row in done)
    ]
    cells = [[cell(row) for _, cell in kept] for row in result.rows]
    table = Table([header for header, _ in kept], cells, text=_TEXT_COLUMNS)
    bullet = "- " if markdown else "  "
    notes = "\n".join(bullet + one_line(line) for line in [*_summary(result), *result.notes])
    return [table, *_latency_bars(done), notes]


def _latency_bars(rows: Sequence[BenchRow]) -> list[Bars]:
    """Medians beside each other, if there are several."""
    timed = [(row, row.latency_ms.p50) for row in rows if row.latency_ms is not None]
    longest = max((p50 for _, p50 in timed), default=0.0)
    if len(timed) < 2 or longest <= 0:
        return []
    bars = [
        Bar(f"{row.device}, {row.runtime}, {row.precision}", p50 / longest, f"{p50:.3f} ms")
        for row, p50 in timed
    ]
    return [Bars("Median latency", bars)]


def _summary(result: BenchResult) -> list[str]:
    lines = _machine_lines("Host", result.host)
    for name, machine in result.machines.items():
        lines.extend(_machine_lines(name, machine))
    lines.extend(_runtime_lines(result.rows))
    lines.extend(_firmware_line(row) for row in result.rows if row.compiler is not None)
    data = result.data
    if data is not None:
        made = " Synthetic images: no claim about X-rays." if data.synthetic else ""
        lines.append(
            f"Accuracy on {data.images} of the {data.images_in_split} images of split "
            f"{data.split} of {data.source}; interval by Wilson.{made}"
        )
        lines.extend(_cost_of_limit(data, result.rows))
    return lines


def _machine_lines(name: str, host: Host) -> list[str]:
    """What a machine is and how it was; a line more if it was throttled."""
    governor = f", governor {host.governor}" if host.governor else ""
    load = "" if host.load_average is None else f", load {host.load_average:.1f} before the start"
    if host.load_average is not None and host.load_average > host.cpus / 2:
        load += " (busy: expect latencies that are too high)"
    changes = "".join(
        f", {change}"
        for change in (
            _change(host, "frequency_mhz", "MHz"),
            _change(host, "temperature_c", "°C"),
        )
        if change
    )
    what = f"{host.cpu}, {host.cpus} CPUs, {host.architecture}{governor}{changes}{load}"
    lines = [f"{name}: {what}; {host.system}."]
    told = f": {'; '.join(host.throttling)}" if host.throttling else ""
    if host.throttled:
        lines.append(f"{name} WAS THROTTLED during this run, so its latencies are too high{told}.")
    elif told:
        lines.append(f"{name} was not throttled during this run, but says{told}.")
    return lines


def _change(host: Host, field: Literal["frequency_mhz", "temperature_c"], unit: str) -> str:
    """Such as "1500→600 MHz"; one figure where it did not change or only one is known."""
    shown = {
        f"{value:.0f}": None
        for state in (host.before, host.after)
        if state is not None and (value := getattr(state, field)) is not None
    }
    return f"{'→'.join(shown)} {unit}" if shown else ""


def _runtime_lines(rows: Sequence[BenchRow]) -> list[str]:
    """Which package ran each runtime, with its version, kernels, threads and count of runs."""
    lines: dict[str, None] = {}
    for row in rows:
        if row.interpreter is None or row.latency_ms is None:
            continue
        ran, latency = row.interpreter, row.latency_ms
        threads = "1 thread" if row.threads == 1 else f"{row.threads} threads"
        # The compiled runtime has kernels of its own, which give those bits.
        bits_of = "the bits of " if ran.name == "compiled" else ""
        lines[
            f"{row.runtime}: {ran.name} {ran.version}, {bits_of}{ran.kernels} kernels, {threads}; "
            f"{latency.runs} runs after {latency.warmup} for warm-up."
        ] = None
    return list(lines)


def _firmware_line(row: BenchRow) -> str:
    clock = "" if row.clock_hz is None else f", {row.clock_hz / 1e6:g} MHz"
    again = f"; {row.tried_again} exchanges had to be tried again" if row.tried_again else ""
    return (
        f"{row.device} {row.precision}: {row.runtime}, {row.compiler}{clock}, "
        f"model {row.model_sha256[:12]}{again}."
    )


def _cost_of_limit(data: DataInfo, rows: Sequence[BenchRow]) -> list[str]:
    """How wide the interval is for want of images, by the first row that has one."""
    from edgecxr.core.metrics import wilson

    known = [(row.accuracy, row.accuracy_ci95) for row in rows if row.accuracy is not None]
    if data.images >= data.images_in_split or not known:
        return []
    share, interval = known[0]
    if share is None or interval is None:
        return []
    whole = wilson(round(share * data.images_in_split), data.images_in_split)
    return [
        f"The interval is {percent(interval[1] - interval[0])} points wide because of --limit; "
        f"with all images it would be about {percent(whole[1] - whole[0])}."
    ]
