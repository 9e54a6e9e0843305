# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgecxr.core.bundle import Imported, write_manifest
from edgecxr.errors import OutputError
from edgecxr.report.inputs import Audit, AuditFinding, Inputs, read_inputs
from edgecxr.report.page import LARGEST_BYTES, NOTICE, SECTIONS, html, markdown
from edgecxr.report.plots import bars
from edgecxr.report.subjects import subjects
from tests.report.results import HOSTILE, drawn, evaluated, results, wanted

pytestmark = pytest.mark.heavy


class Elements(HTMLParser):
    """Every element with its attributes, and the values of <data>."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.figures = {
            str(attributes["data-figure"]): float(str(attributes["value"]))
            for tag, attributes in self.found
            if tag == "data"
        }

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return results(tmp_path_factory.mktemp("report") / "bundle")


@pytest.fixture(scope="module")
def page(inputs: Inputs) -> str:
    return html(inputs, wanted(drawn(HOSTILE)))


def test_labels_names_and_cards_cannot_add_elements(page: str) -> None:
    elements = Elements(page).found
    assert [tag for tag, _ in elements].count("script") == 1
    assert not [a for _, attributes in elements for a in attributes if a.startswith("on")]
    assert "<b>0</b>.png" not in page
    assert "&lt;b&gt;0&lt;/b&gt;.png" in page


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    for tag, attributes in Elements(page).found:
        if tag == "a":
            assert str(attributes.get("href", "")).startswith(("#", "http:"))  # a card may link
            continue
        for name in ("src", "href", "xlink:href", "data-image"):
            value = attributes.get(name)
            assert not value or value.startswith(("data:", "#")), (tag, value)
    assert "default-src 'none'" in page


def test_figures_are_those_of_the_evaluation(inputs: Inputs, page: str) -> None:
    evaluation = evaluated(inputs)
    found = Elements(page).figures
    for name, figures in (("float32", evaluation.float32), ("int8", evaluation.int8)):
        assert found[f"{name}.accuracy"] == figures.accuracy
        assert found[f"summary.{name}.accuracy"] == figures.accuracy
        assert found[f"{name}.auc"] == figures.auc
        for i, row in enumerate(figures.confusion):
            assert [found[f"{name}.confusion.{i}.{j}"] for j in range(3)] == list(row)
            assert found[f"{name}.sensitivity.{i}"] == figures.classes[i].sensitivity
        areas = [found[f"auc.{name}.{label}"] for label in HOSTILE]
        assert np.mean(areas) == pytest.approx(figures.auc)
    assert evaluation.verdict in page
    assert NOTICE in page


def test_the_same_results_give_the_same_page(inputs: Inputs, page: str) -> None:
    assert html(inputs, wanted(drawn(HOSTILE))) == page
    ids = [a["id"] for _, a in Elements(page).found if a.get("id")]
    assert len(ids) == len(set(ids))


def test_several_bundles_are_all_shown_in_full(inputs: Inputs, tmp_path: Path) -> None:
    labels = ("a", "b", "c")
    both = Inputs(cards=[*inputs.cards, *results(tmp_path / "other", labels).cards])
    about = [*wanted(drawn(HOSTILE)).about, *wanted(drawn(labels)).about]
    page = html(both, replace(wanted(), about=about))
    assert len(page.encode()) < LARGEST_BYTES
    elements = Elements(page).found
    ids = [str(a["id"]) for _, a in elements if a.get("id")]
    assert len(ids) == len(set(ids))
    for place, _ in SECTIONS:
        assert {place, f"m2-{place}"} <= set(ids)
    links = [str(a["href"]) for tag, a in elements if tag == "a" and str(a["href"]).startswith("#")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    shown = [a for _, a in elements if a.get("data-figure") == "int8.accuracy"]
    accuracies = [
        subject.evaluation.int8.accuracy for subject in subjects(both) if subject.evaluation
    ]
    assert [float(str(each["value"])) for each in shown] == accuracies


def test_findings_show_their_commands_as_code_and_add_no_elements() -> None:
    finding = AuditFinding(
        kind="k", severity="high", sets=("s",), what="<b>", why="y", do="Use `edgecxr <i>`"
    )
    page = html(Inputs(audits=[Audit(sets=(), findings=(finding,))]), wanted())
    assert "&lt;b&gt;." in page
    assert "Use <code>edgecxr &lt;i&gt;</code>." in page


def test_what_is_missing_names_the_command_that_makes_it() -> None:
    empty = html(Inputs(), wanted())
    for command in ("evaluate BUNDLE", "bench BUNDLE", "data audit SET", "sweep SET", "--data SET"):
        assert command in empty
    assert not Elements(empty).figures


def test_a_bundle_that_was_imported_is_shown_as_such(tmp_path: Path) -> None:
    bundle = results(tmp_path / "bundle").cards[0].bundle
    origin = Imported(file="theirs.tflite", sha256="0" * 64, input_range="0..1")
    manifest = bundle.manifest.model_copy(
        update={"training": None, "architecture": None, "imported": origin, "metrics": {}}
    )
    write_manifest(bundle.folder, manifest)
    page = html(read_inputs([bundle.folder]), wanted())
    assert "theirs.tflite" in page
    assert "pixels 0..1" in page
    assert "<th>training</th>" not in page


def test_without_images_there_are_none(inputs: Inputs, page: str) -> None:
    assert "data:image" in page
    assert "contains images" in page
    without = html(inputs, wanted(drawn(HOSTILE), images=False))
    assert "data:image" not in without
    assert "contains images" not in without


def test_a_page_too_large_is_refused(inputs: Inputs) -> None:
    card = inputs.cards[0]
    large = Inputs(cards=[type(card)(card.bundle, card.curve, "word " * 700_000)])
    with pytest.raises(OutputError, match="at most 3,000,000 bytes"):
        html(large, wanted())


def test_markdown_has_the_verdict_and_the_command(inputs: Inputs) -> None:
    text = markdown(inputs, wanted())
    assert "```sh\nedgecxr train SET --out x\n```" in text
    assert evaluated(inputs).verdict in text
    assert "edgecxr report 'a b'" in text
    assert "SYNTHETIC" in text


def test_colours_are_left_to_the_page() -> None:
    drawn_bars = bars("x", "t", [("<a>", [(200.0, "#202101")])], unit="%", limit=100, most=150)
    assert "var(--ink)" in drawn_bars
    assert "#202101" not in drawn_bars
    assert "200 →" in drawn_bars
    assert "<a>" not in drawn_bars
