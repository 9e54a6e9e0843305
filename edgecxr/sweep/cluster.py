# SPDX-License-Identifier: Apache-2.0
"""Ray, started so that it keeps to itself, or a cluster that runs already."""

from __future__ import annotations

import os
import re
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from edgecxr.core.quiet import native_output_hidden
from edgecxr.errors import ClusterError
from edgecxr.optional import require

# Trials hand over a few kilobytes. Ray's own default is a third of the memory; its least is 75 MiB.
OBJECT_STORE_BYTES = 80 * 1024 * 1024
# Unix sockets have at most 107 characters of path, and Ray takes about 70 of them.
LONGEST_TEMPORARY = 30
ANSWER_SECONDS = 10.0

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    # Ray warns of its next release where no GPU is asked for.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray's workers are 15 nicer than their user: on a busy machine they would hardly get on.
    "RAY_worker_niceness": "0",
}

_ON_THIS_MACHINE = {
    # The one switch for it; it must be set before ray is imported.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Ray's server and node take a second to start; where every processor is taken, Ray's own 30 s
    # were seen to be too short.
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_raylet_start_wait_time_s": "300",
}


@contextmanager
def connected(address: str | None, workers: int) -> Iterator[Any]:
    """Yield the module ``ray``, connected.

    Args:
        address: of a cluster that runs; None starts Ray on this machine for this process alone,
            without dashboard, listening on the loopback interface only.
        workers: trials at once on this machine.

    Raises:
        MissingPackageError: without the extra ``cluster``.
        ClusterError: if no cluster answers at the address, or Ray does not start in time.
    """
    os.environ.update(_QUIET)
    if address is None:
        os.environ.update(_ON_THIS_MACHINE)
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    elif _has_token():
        # As `ray start --head` does; without it Ray knocks without the token until it gives up.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    ray = require("ray", extra="cluster")
    common = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    if address is not None:
        _check_listens(address)
        with _session(ray, address=address, **common):
            yield ray
        return
    with (
        tempfile.TemporaryDirectory(
            prefix="edgecxr-ray-", dir=_short_folder(), ignore_cleanup_errors=True
        ) as folder,
        _session(
            ray,
            address="local",
            num_cpus=workers,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=folder,
            **common,
        ),
    ):
        yield ray


def _check_listens(address: str) -> None:
    """Ray itself knocks for minutes where nobody is.

    Raises:
        ClusterError: if ``address`` is HOST:PORT and nothing listens there.
    """
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(_why_not(address, error)) from error


def _has_token() -> bool:
    """Whether this user has a cluster's token, where Ray looks for it."""
    named = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()


def _short_folder() -> str:
    own = tempfile.gettempdir()
    return own if len(own) <= LONGEST_TEMPORARY or not Path("/tmp").is_dir() else "/tmp"


@contextmanager
def _session(ray: Any, **options: Any) -> Iterator[None]:
    try:
        with native_output_hidden():
            ray.init(**options)
    except Exception as error:
        ray.shutdown()  # of what had started already
        if not _is_no_start(ray, error):
            raise
        raise ClusterError(_why_not(options["address"], error)) from error
    try:
        # Ray prints pages on stdout when a worker or a node dies, which the sweep says in a line.
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        ray.shutdown()


def _is_no_start(ray: Any, error: Exception) -> bool:
    """Ray raises ``Exception`` itself, among others, where one of its processes does not answer."""
    of_ray = (OSError, ValueError, RuntimeError, ray.exceptions.RayError)
    return type(error) is Exception or isinstance(error, of_ray)


def _why_not(address: str, error: Exception) -> str:
    # The first sentence of Ray's; paths of logs that are gone by now follow it.
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = re.split(r"\.\s|\n", said.strip(), maxsplit=1)[0].rstrip(".") or repr(error)
    if address == "local":
        return (
            f"Ray did not start on this machine ({first}); if it is busy, give the same command "
            "again later, and what is done stays done"
        )
    return (
        f"no Ray cluster answers at {address} ({first}); start one with `ray start --head`, with "
        "one token for all machines, or leave --address away"
    )
