# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, held by reading the imports and by running without tensorflow."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edgecxr"
MODULES = sorted(PACKAGE.rglob("*.py"))
# What each room may import of the others, beside core and the two files at the top.
ALLOWED = {
    "core": set(),
    "data": set(),
    "training": {"data"},
    "export": set(),
    "deploy": set(),
    "bench": set(),
    "sweep": set(),
    "recipes": {"data"},
    "report": set(),
    "demo": set(),
    "cli": {"data", "training", "export", "deploy", "bench", "sweep", "recipes", "report", "demo"},
}
HEAVY = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "sklearn",
    "matplotlib",
    "PIL",
    "pydantic",
    "ray",
    "starlette",
    "uvicorn",
    "pydicom",
    "rich",
    "jinja2",
    "markdown_it",
    "model_signing",
    "cryptography",
    "h5py",
)
NO_TENSORFLOW = (
    "--help",
    "bench --help",
    "classify --help",
    "report --help",
    "export --help",
    "boards",
    "data --help",
)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_room_imports_only_what_it_may(path: Path) -> None:
    room = room_of(path)
    if not room:
        return
    for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        parts = name.split(".")
        if parts[0] in ("tensorflow", "keras"):
            assert room == "training", f"{path.name} imports {name}; only training may"
        if parts[0] == "edgecxr" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] in {room, "core"} | ALLOWED[room], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_file_begins_with_its_licence(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: Apache-2.0\n")


PRINTERS = {"common.py", "main.py", "terminal.py"}
"""They make text safe for a terminal; ``main.py`` prints the version."""
LOADERS = {"keras_file.py", "weights.py"}
"""They look at a Keras file before Keras does."""


def called(tree: ast.AST) -> set[str]:
    """Names of functions and methods that are called, the last part only."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    }


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_commands_print_through_one_door(path: Path) -> None:
    """A name that a stranger gave would reach the terminal raw."""
    if path.name not in PRINTERS:
        assert not called(ast.parse(path.read_text(encoding="utf-8"))) & {"echo", "secho"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "training").rglob("*.py")), ids=lambda p: p.name)
def test_keras_files_are_opened_through_one_door(path: Path) -> None:
    if path.name not in LOADERS:
        opened = called(ast.parse(path.read_text(encoding="utf-8")))
        assert not opened & {"load_model", "deserialize_keras_object"}
        assert path.name == "fit.py" or "load_weights" not in opened


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from edgecxr.cli.main import run\n"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", NO_TENSORFLOW)
def test_commands_that_need_no_tensorflow_run_beside_a_broken_one(
    command: str, tmp_path: Path
) -> None:
    for name in ("tensorflow", "keras"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('poisoned')\n")
    done = subprocess.run(
        [sys.executable, "-m", "edgecxr", *command.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "poisoned" not in done.stderr
