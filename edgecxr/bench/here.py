# SPDX-License-Identifier: Apache-2.0
"""What this machine is, and which runtimes it has: ``python -m edgecxr.bench.here``, over SSH."""

from __future__ import annotations

import importlib.util

from pydantic import BaseModel, ConfigDict

from edgecxr.bench.machine import describe_host
from edgecxr.bench.runtimes import RUNTIMES, choose
from edgecxr.core.result import Host

_EXPORT_NEEDS = ("flatbuffers", "rich", "typer")
"""The compiled runtime runs ``edgecxr export``, which takes more than a compiler."""


class Here(BaseModel):
    """``runtimes``: the names of those that are installed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Host
    runtimes: tuple[str, ...]


def look() -> Here:
    """Raises MissingPackageError if no runtime is installed."""
    can_export = all(importlib.util.find_spec(name) for name in _EXPORT_NEEDS)
    found = [each.name for each in choose([]) if each is not RUNTIMES["compiled"] or can_export]
    return Here(host=describe_host(), runtimes=tuple(found))


if __name__ == "__main__":
    print(look().model_dump_json())
