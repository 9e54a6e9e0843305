# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a sweep while it runs."""

from __future__ import annotations

import pytest
from rich.console import Console

from edgecxr.cli import sweep_view
from edgecxr.sweep.run import Event
from edgecxr.sweep.trial import Progress

WAITING = Progress(phase="waiting")


def training(epoch: int) -> Progress:
    return Progress(phase="training", epoch=epoch, epochs=10, validation_accuracy=0.5)


def drawn(progress: dict[str, Progress], *, width: int = 80, room: int = 20) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(sweep_view._rows(progress, room))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_row_for_each_trial() -> None:
    done = Progress(phase="done", epoch=10, epochs=10, validation_accuracy=0.9375)
    header, *rows = drawn({"seed=1": done, "seed=2": training(3), "seed=3": WAITING})
    assert header.split() == ["trial", "epoch", "validation", "%"]
    assert [row.split() for row in rows] == [
        ["seed=1", "done", "10/10", "93.8"],
        ["seed=2", "training", "3/10", "50.0"],
        ["seed=3", "waiting"],
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(width: int) -> None:
    name = "dropout=0.1,label-smoothing=0.05,learning-rate=0.0005,seed=1"
    lines = drawn({name: training(3)}, width=width)
    assert max(map(len, lines)) <= width
    folded = "".join(line.split("  ")[0] for line in lines[1:])
    assert folded.replace(" ", "") == name


def test_what_is_at_work_is_shown_where_there_is_no_room_for_all() -> None:
    progress = {f"seed={n}": Progress(phase="done") for n in range(30)}
    progress |= {"seed=30": training(1), "seed=31": Progress(phase="failed"), "seed=32": WAITING}
    rows = drawn(progress, room=5)[1:]
    assert len(rows) == 5
    assert [row.split()[0] for row in rows[1:4]] == ["seed=30", "seed=31", "seed=32"]
    assert rows[4] == "and 29 done"


def test_lines_tell_how_far_it_is_and_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.0, 0.0, 60.0, 60.0])
    monkeypatch.setattr(sweep_view.time, "monotonic", lambda: next(clock))
    lines = sweep_view._Lines()
    lines(Event({"a": training(0), "b": WAITING}, "a", "started"))
    lines(Event({"a": training(5), "b": WAITING}))
    said = capsys.readouterr().err.splitlines()
    assert said == ["a: started", "0 of 2 trials done, 3 min left; a 5/10"]


def test_a_trial_that_failed_is_counted_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 100.0])
    monkeypatch.setattr(sweep_view.time, "monotonic", lambda: next(clock))
    left = sweep_view._TimeLeft()
    failed = Progress(phase="failed", epoch=9, epochs=10)
    assert left({"a": training(0), "b": failed}) == ""
    assert left({"a": training(5), "b": failed}) == ", 2 min left"
    assert sweep_view._count({"a": training(5), "b": failed}) == "0 of 2 trials done, 1 failed"
