# SPDX-License-Identifier: Apache-2.0
"""`edgecxr sweep --address` on a real cluster of two nodes, one of which dies."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from edgecxr.sweep.record import SweepResult
from tests.pipeline.conftest import TRAIN
from tests.pipeline.test_sweep import PATIENCE, in_training, parent_of, started, sweep_command

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

pytest.importorskip("ray")

LONG = (*TRAIN, "--epochs", "40", "--select", "last")


@contextmanager
def node(*options: str) -> Iterator[None]:
    """One node of a cluster, with one processor; it ends with the test."""
    start = ["from ray.scripts.scripts import main; main()", "start", "--block", "--num-cpus=1"]
    own = ["--num-gpus=0", "--object-store-memory=80000000", "--disable-usage-stats"]
    with subprocess.Popen(
        [sys.executable, "-c", *start, *own, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if "Ray runtime started" in line:
                    break
            else:
                pytest.fail("".join(said))
            yield
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two nodes on this machine; the address of the first."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # Not tmp_path: the paths of Ray's sockets would be too long.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        head = ("--head", f"--port={address.split(':')[1]}", "--include-dashboard=false")
        with ExitStack() as nodes:
            nodes.enter_context(node(*head, f"--temp-dir={folder}"))
            nodes.enter_context(node(f"--address={address}"))
            yield address


def test_a_node_that_dies_loses_nothing(cluster: str, phantoms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started(sweep_command(phantoms, out, LONG, "--address", cluster)) as process:
        workers = {}
        while len(workers) < 2:
            name, training = in_training(process, out, {"seed=1", "seed=2"} - workers.keys(), ())
            workers[name] = parent_of(training)
        raylets = {name: parent_of(worker) for name, worker in workers.items()}
        assert len(set(raylets.values())) == 2
        os.kill(raylets["seed=2"], signal.SIGKILL)
        said, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "seed=2: its worker died (NodeDiedError); it goes on after epoch" in err
    result = SweepResult.model_validate_json(said)
    assert [row.epochs_run for row in result.results] == [40, 40]
