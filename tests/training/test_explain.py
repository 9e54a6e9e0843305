# SPDX-License-Identifier: Apache-2.0
"""Grad-CAM on models whose reasons are known, since their weights are set by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.core.bundle import FILES, Bundle
from edgecxr.errors import UsageError
from tests.bundles import write_bundle

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Class b is bright spots, class a is dark ones: one channel of the map each."""
    image = keras.Input((96, 96, 1), name="image")
    pooled = keras.layers.AveragePooling2D(12, name="pooled")(image)
    maps = keras.layers.Conv2D(2, 1, activation="relu", name="maps")(pooled)
    coarse = keras.layers.MaxPooling2D(4, name="coarse")(maps)
    features = keras.layers.GlobalAveragePooling2D()(coarse)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax", name="s")(features))
    model.get_layer("maps").set_weights([np.float32([[[[-1, 1]]]]), np.float32([-0.5, -0.5])])
    model.get_layer("s").set_weights([np.float32([[9, 0], [0, 9]]), np.float32([0, 0])])
    folder = tmp_path_factory.mktemp("explain")
    (folder / "models").mkdir()
    made = write_bundle(folder / "b", folder / "models", ("a", "b"))
    model.save(made.folder / FILES["keras"])
    return made.with_files({"keras": (made.folder / FILES["keras"]).read_bytes()})


def spots() -> NDArray[np.uint8]:
    """Gray, bright above left, dark below right."""
    pixels = np.full((96, 96), 128, np.uint8)
    pixels[12:36, 12:36] = 255
    pixels[60:84, 60:84] = 0
    return pixels


@pytest.mark.parametrize(("label", "place"), [(0, slice(54, 90)), (1, slice(6, 42))])
def test_the_heat_is_where_the_reason_is(bundle: Bundle, label: int, place: slice) -> None:
    from edgecxr.training.explain import Explainer

    found = Explainer(bundle).explain(spots(), label)
    assert found.explained == label
    assert found.heat.shape == (96, 96)
    assert found.heat.max() == 1
    assert found.heat[place, place].sum() > 0.9 * found.heat.sum()


def test_the_last_layer_with_cells_enough_is_taken(bundle: Bundle) -> None:
    from edgecxr.training.explain import Explainer

    explainer = Explainer(bundle)
    assert (explainer.layer, explainer.cells) == ("maps", (8, 8))
    assert Explainer(bundle, "coarse").cells == (2, 2)


def test_an_image_without_a_reason_has_no_heat(bundle: Bundle) -> None:
    from edgecxr.training.explain import Explainer

    assert not Explainer(bundle).explain(np.full((96, 96), 128, np.uint8)).heat.any()


def test_a_layer_that_is_not_there_is_refused(bundle: Bundle) -> None:
    from edgecxr.training.explain import Explainer

    with pytest.raises(UsageError, match="such as pooled, maps, coarse"):
        Explainer(bundle, "s")


def test_the_picture_shows_the_image_and_the_heat_beside_it(bundle: Bundle, tmp_path: Path) -> None:
    from PIL import Image

    from edgecxr.cli.main import run

    Image.fromarray(spots()).save(tmp_path / "x.png")
    out = tmp_path / "out.png"
    asked = ["explain", str(tmp_path / "x.png"), "--model", str(bundle.folder), "--out", str(out)]
    assert run([*asked, "--class", "b"]) == 0
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert picture.shape == (384, 384 + 8 + 384, 3)
    left, right = picture[:, :384], picture[:, 392:]
    assert (left[..., 0] == left[..., 2]).all()
    reddish = right[..., 0] - right[..., 2]
    assert reddish[48:144, 48:144].mean() > 60 > reddish[240:336, 240:336].mean() + 30
    assert run(asked) == 1  # it is there already
