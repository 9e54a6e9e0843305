# SPDX-License-Identifier: Apache-2.0
"""Ray that does not start: one sentence, and this process is not left connected."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.sweep.run import Workers
from edgecxr.sweep.trial import Trial

pytest.importorskip("ray")

# A process of its own, as Ray reads its switches when it is imported. Ray's node process starts and
# never answers, as on a machine that is too busy; what Ray waits for it is cut short.
DEAF = """
import sys, time, types
from edgecxr.cli.main import run
from edgecxr.sweep import cluster

def deaf(module, *, extra):
    import ray, ray._private.node, ray._private.services as services
    services.RAYLET_EXECUTABLE = sys.argv[1]
    fast = types.SimpleNamespace(
        monotonic=lambda: 20 * time.monotonic(), sleep=time.sleep, time=time.time)
    ray._private.node.time = fast
    return ray

cluster.require = deaf
cluster._ON_THIS_MACHINE["RAY_raylet_start_wait_time_s"] = "1"
status = run(sys.argv[2:])
import ray
assert not ray.is_initialized()
sys.exit(status)
"""


@pytest.mark.pipeline
def test_a_start_that_times_out_is_one_sentence(tmp_path: Path) -> None:
    raylet = tmp_path / "raylet"
    raylet.write_text("#!/bin/sh\nexec sleep 600\n")
    raylet.chmod(0o755)
    command = ["reproduce", "karcevski_simple", "--quick", "--seeds", "2", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", DEAF, raylet, *command, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("edgecxr: Ray did not start on this machine (")
    assert last.endswith("what is done stays done")


def test_nobody_at_the_address_is_one_sentence_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        out = str(tmp_path / "out")
        assert run(["sweep", str(tmp_path / "data"), "--out", out, "--address", address]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"edgecxr: no Ray cluster answers at {address} (Connection refused);")
    assert len(said.splitlines()) == 1


def trials(*threads: int) -> list[Trial]:
    return [
        Trial(name=str(n), setting="", seed=n, data=Path("x"), threads=count)
        for n, count in enumerate(threads)
    ]


def test_no_processor_is_promised_twice() -> None:
    assert Workers().at_once(trials(1, 1, 1, 1, 1, 1), [4]) == 4
    assert Workers().at_once(trials(1, 1, 1), [4]) == 3
    assert Workers().at_once(trials(2, 1, 1, 1), [3, 3]) == 2
    assert Workers().at_once(trials(8), [2]) == 1
    assert Workers(count=3).at_once(trials(1, 1, 1, 1), [1]) == 3
