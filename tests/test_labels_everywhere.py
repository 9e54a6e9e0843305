# SPDX-License-Identifier: Apache-2.0
"""Labels of any script and with any sign arrive unharmed wherever a label goes."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from edgecxr.bench.device import Device
from edgecxr.bench.transport import open_line
from edgecxr.cli.evaluate import evaluation_parts
from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.core.metrics import compare
from edgecxr.core.table import plain
from edgecxr.data import layout
from edgecxr.deploy.build import HOST, build
from edgecxr.deploy.emulate import emulated
from edgecxr.export.formats import FORMATS, Settings
from edgecxr.export.source import open_source
from tests.bundles import write_bundle

SIGNS = ('%s%n*/ "q"', "a | b<i>`x`_", "{می‌خواهم}, 'l'été'")
SCRIPTS = ("??/\\", "=1+1; [l](x)", "正常 $x$ 🫁")


@pytest.fixture(scope="module", params=[SIGNS, SCRIPTS], ids=["signs", "scripts"])
def bundle(
    request: pytest.FixtureRequest, tiny_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("labels") / "b", tiny_models, request.param)


def test_in_c_and_on_the_wire(bundle: Bundle, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    with emulated(build(bundle, HOST, folder=tmp_path)) as url:
        line = open_line(url)
        try:
            assert tuple(Device(line).info.labels) == bundle.manifest.labels
        finally:
            line.close()


@pytest.mark.parametrize("name", ["c", "tflm", "firmware", "arduino", "zephyr", "eim"])
def test_in_every_export(bundle: Bundle, name: str) -> None:
    """No line of a source ends early: C strings are ASCII, without trigraphs, and comments end
    where they were opened."""
    export = FORMATS[name].render(open_source(bundle.folder), Settings(100_000))
    for path, content in export.files.items():
        if isinstance(content, str) and path.endswith((".c", ".cc", ".cpp", ".h")):
            assert "??/" not in content
            assert "%s%n*/" not in re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', content)
        if path.endswith(("properties", "yaml", "yml", "conf", "ino")):
            assert isinstance(content, str)
            assert not any(label in content for label in bundle.manifest.labels)


def test_compiled_c_says_them(bundle: Bundle, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    export = FORMATS["tflm"].render(open_source(bundle.folder), Settings(100_000))
    for name in ("model_settings.h", "model_settings.cc"):
        (tmp_path / name).write_text(str(export.files[name]), encoding="utf-8")
    settings = str(export.files["model_settings.h"])
    labels = re.search(r"extern const char\* const (\w+)\[", settings)
    space = re.search(r"namespace (\w+)", settings)
    assert labels, settings
    assert space, settings
    (tmp_path / "say.cc").write_text(
        '#include <cstdio>\n#include "model_settings.h"\nint main() {\n'
        f"  for (auto each : {space[1]}::{labels[1]}) std::puts(each);\n}}\n"
    )
    program = tmp_path / "say"
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Werror", "-trigraphs")
    files = [str(tmp_path / name) for name in ("say.cc", "model_settings.cc")]
    subprocess.run(["g++", *flags, *files, "-o", str(program)], check=True)
    said = subprocess.run([str(program)], capture_output=True, check=True).stdout.decode()
    assert tuple(said.splitlines()) == bundle.manifest.labels


def test_on_a_terminal_and_as_json(bundle: Bundle, tmp_path: Path, capsys) -> None:
    image = tmp_path / "x.png"
    Image.new("L", (96, 96), 90).save(image)
    assert run(["classify", str(image), "--model", str(bundle.folder)]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {label}" in out for label in bundle.manifest.labels)
    assert run(["classify", str(image), "--model", str(bundle.folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["results"][0]["scores"]
    assert tuple(scores) == bundle.manifest.labels


def test_in_markdown_they_are_cells(bundle: Bundle) -> None:
    labels = bundle.manifest.labels
    random = np.random.default_rng(2)
    scores = random.dirichlet(np.ones(3), 30).astype(np.float32)
    found = compare(scores, scores, np.arange(30) % 3, labels, split="val", fingerprint="f",
                    skipped=0, interpreter="none")  # fmt: skip
    page = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(plain(evaluation_parts(found), markdown=True))
    )
    cells = [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", page)]
    for label in labels:
        assert cells.count(label) >= 2  # a row and a column of a confusion matrix
    assert not re.search(r"<(?!/?(?:table|thead|tbody|tr|t[hd]|p)[ >])", page)


def test_in_a_csv_file(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / f"{i}.png").touch()
    with (tmp_path / "set.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "split"))
        writer.writerows((f"{i}.png", label, "train") for i, label in enumerate(SIGNS + SCRIPTS))
    entries = layout.read(tmp_path / "set.csv")
    assert [entry.label for entry in entries] == list(SIGNS + SCRIPTS)
