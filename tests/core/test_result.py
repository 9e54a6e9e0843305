# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from edgecxr.core.result import (
    BenchResult,
    BenchRow,
    DataInfo,
    Host,
    InterpreterInfo,
    Latency,
    MachineState,
    bench_parts,
)
from edgecxr.core.table import plain

PROMISED = {
    "device",
    "runtime",
    "precision",
    "images",
    "accuracy",
    "agreement_with_host",
    "latency_ms",
    "instructions",
    "flash_bytes",
    "ram_bytes",
    "stack_bytes",
    "arena_bytes",
    "model_sha256",
}
HOST = Host(
    cpu="A CPU",
    cpus=4,
    architecture="x86_64",
    governor="powersave",
    load_average=0.5,
    system="Linux",
    python="3.11",
)
BARE = BenchRow(
    device="host", runtime="tflm", precision="int8", model_bytes=300_568, model_sha256="ab"
)
FULL = BARE.model_copy(
    update={
        "images": 100,
        "accuracy": 0.9,
        "accuracy_ci95": (0.826, 0.945),
        "latency_ms": Latency(p50=5.5, p95=6.25, min=5.4, max=7, runs=200, warmup=20),
        "interpreter": InterpreterInfo(name="tflite-micro", version="1", kernels="reference"),
        "threads": 1,
        "arena_bytes": 85_120,
    }
)

BOARD = BARE.model_copy(
    update={
        "device": "emulator:stm32f405",
        "runtime": "compiled",
        "instructions": 7_514_200,
        "flash_bytes": 252_884,
        "ram_bytes": 21_016,
        "stack_bytes": 536,
        "compiler": "gcc 12.2.1",
        "clock_hz": 168_000_000,
        "tried_again": 2,
    }
)


def result(*rows: BenchRow) -> BenchResult:
    data = DataInfo(
        source="si2023",
        split="test",
        images=100,
        images_in_split=355,
        skipped_unreadable=0,
        fingerprint="f",
        synthetic=True,
    )
    return BenchResult(
        model="cxr3",
        measured_at="2026-11-20T12:00:00+00:00",
        edgecxr="0.1",
        trained_on_synthetic_data=False,
        data=data,
        host=HOST,
        notes=("A note.",),
        rows=rows,
    )


def test_what_was_not_measured_is_null_and_never_0() -> None:
    row = json.loads(BARE.model_dump_json())
    assert row.keys() >= PROMISED
    measured = {"device", "runtime", "precision", "model_bytes", "model_sha256"}
    assert all(value is None for name, value in row.items() if name not in measured)


def bench_table(found: BenchResult, *, markdown: bool = False) -> str:
    return plain(bench_parts(found, markdown=markdown), markdown=markdown)


def test_a_row_survives_json() -> None:
    assert BenchRow.model_validate_json(FULL.model_dump_json()) == FULL


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        BenchRow(**{**BARE.model_dump(), "flash": 1})


def test_the_table_shows_what_was_measured_and_leaves_the_rest_out() -> None:
    table = bench_table(result(FULL))
    row = next(line for line in table.splitlines() if line.startswith("host"))
    assert row.split()[:5] == ["host", "tflm", "int8", "90.0", "(82.6–94.5)"]
    assert row.split()[5:] == ["5.500", "6.250", "5.400", "7.000", "300,568", "85,120"]
    assert "MiB" not in table
    assert "0.0" not in row.replace("90.0", "")


def test_the_footnotes_say_how_it_was_measured() -> None:
    table = bench_table(result(FULL))
    for words in (
        "A CPU, 4 CPUs, x86_64, governor powersave, load 0.5",
        "tflite-micro 1, reference kernels, 1 thread; 200 runs after 20",
        "100 of the 355 images of split test",
        "Synthetic images",
        "A note.",
    ):
        assert words in table


def test_a_busy_machine_is_called_busy() -> None:
    busy = HOST.model_copy(update={"load_average": 2.5})
    assert "busy" in bench_table(result(FULL).model_copy(update={"host": busy}))
    assert "busy" not in bench_table(result(FULL))


def test_markdown_is_a_table_that_github_reads() -> None:
    lines = bench_table(result(FULL, BARE), markdown=True).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert set(table[1]) <= set("|-: ")
    assert "p50 ms" in table[0]


def test_a_row_that_failed_shows_dashes() -> None:
    failed = BARE.model_copy(update={"runtime": "litert", "error": "it died"})
    row = bench_table(result(FULL, failed)).splitlines()[4]
    assert row.split()[:4] == ["host", "litert", "int8", "–"]


def test_a_board_shows_instructions_and_memory_and_no_milliseconds() -> None:
    table = bench_table(result(BOARD))
    row = next(line for line in table.splitlines() if line.startswith("emulator"))
    figures = ["7.51", "300,568", "252,884", "21,016", "536"]
    assert row.split() == ["emulator:stm32f405", "compiled", "int8", *figures]
    assert "compiled, gcc 12.2.1, 168 MHz, model ab; 2 exchanges had to be tried again" in table


def test_a_limit_says_what_it_costs() -> None:
    table = bench_table(result(FULL))
    assert "The interval is 11.9 points wide because of --limit" in table
    assert "with all images it would be about 6.2" in table
    assert result(FULL).data is not None
    whole = result(FULL).data.model_copy(update={"images": 355})
    assert "--limit" not in bench_table(result(FULL).model_copy(update={"data": whole}))


def test_a_machine_over_ssh_says_how_it_was() -> None:
    states = {
        "before": MachineState(frequency_mhz=1500, temperature_c=48.7, throttled=0),
        "after": MachineState(frequency_mhz=600, temperature_c=81.2, throttled=0x40004),
    }
    words = {"throttled": True, "throttling": ("currently throttled", "throttling has occurred")}
    hot = HOST.model_copy(update={**states, **words})
    table = bench_table(result(FULL).model_copy(update={"machines": {"ssh:pi": hot}}))
    assert "ssh:pi: A CPU, 4 CPUs, x86_64, governor powersave, 1500→600 MHz, 49→81 °C" in table
    assert (
        "ssh:pi WAS THROTTLED during this run, so its latencies are too high: "
        "currently throttled; throttling has occurred." in table
    )
    assert "Host WAS THROTTLED" not in table
    old = HOST.model_copy(update={"throttled": False, "throttling": ("under-voltage before",)})
    table = bench_table(result(FULL).model_copy(update={"host": old}))
    assert "Host was not throttled during this run, but says: under-voltage before." in table
