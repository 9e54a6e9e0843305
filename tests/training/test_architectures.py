# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecxr.cli.main import run
from edgecxr.errors import TrainingError, UsageError
from edgecxr.training.architectures import ARCHITECTURES, Spec, build, check
from edgecxr.training.architectures.spec import is_head
from edgecxr.training.architectures.weights import gray_kernel, load_weights
from edgecxr.training.batches import Images
from edgecxr.training.checkpoint import Checkpoint, Epoch, RunState
from edgecxr.training.fit import fit, plateau_rate, spec_of
from edgecxr.training.settings import TrainingSettings
from edgecxr.training.tf import start_tensorflow

pytestmark = pytest.mark.heavy

# What makes each small enough for a test; a width of 1 is fixed for some.
WIDTHS = {"mobilenet_v1": 0.1, "mobilenet_v2": 0.35, "vgg19": 0.1, "complex_cnn": 0.25}
SPEC = Spec(32, 32, 1, 3)


def through_the_main_job(name: str, folder: Path, *options: str) -> dict[str, float]:
    """train → quantize → evaluate on phantoms; what `evaluate --json` says."""
    data, model = str(folder / "phantoms"), str(folder / "model")
    cache = ("--cache", str(folder / "cache"))
    assert run(["data", "phantom", data, "--train", "12", "--test", "4", "--size", "64"]) == 0
    smaller = ("--size", "32", "--epochs", "1", "--batch", "8", "--validation-share", "0.25")
    # TensorFlow may have started in this process, and then takes no number of threads any more.
    smaller += ("--threads", "0")
    assert run(["train", data, "--out", model, "--arch", name, *smaller, *options, *cache]) == 0
    assert run(["quantize", model, "--data", data, "--representative", "12", *cache]) == 0
    assert run(["evaluate", model, "--data", data, "--record", *cache]) == 0
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    assert manifest["architecture"]["name"] == name
    assert (manifest["input"]["height"], manifest["input"]["width"]) == (32, 32)
    return manifest["metrics"]["test"]


@pytest.mark.slow
@pytest.mark.pipeline
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_goes_through_the_main_job(name: str, tmp_path: Path) -> None:
    width = ("--width", str(WIDTHS[name])) if name in WIDTHS else ()
    assert through_the_main_job(name, tmp_path, *width)["images"] == 12


@pytest.mark.pipeline
def test_sorics_options_go_through_the_main_job(tmp_path: Path) -> None:
    options = ("--activation", "prelu", "--l2", "0.001", "--schedule", "plateau", "--width", "0.5")
    assert through_the_main_job("soric_cnn", tmp_path, *options)["images"] == 12


@pytest.mark.parametrize("name", ["mobilenet_v1", "simple_cnn", "vgg19"])
def test_the_scores_sum_to_one_for_each_image(name: str) -> None:
    start_tensorflow(1)
    model = build(name, Spec(40, 32, 1, 3, 0.1, dropout=0.1, head_units=5))
    scores = model.predict_on_batch(np.zeros((2, 40, 32, 1), np.float32))
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert model.get_layer("head_dense").units == 5


@pytest.mark.parametrize(
    ("activation", "layer"),
    [("relu", "ReLU"), ("leaky_relu", "LeakyReLU"), ("leaky_relu_30", "LeakyReLU"),
     ("prelu", "PReLU"), ("default", "ReLU")],
)  # fmt: skip
def test_the_activation_is_the_one_that_was_asked_for(activation: str, layer: str) -> None:
    model = build("soric_cnn", Spec(32, 32, 1, 2, 0.25, activation=activation))
    kinds = {type(x).__name__ for x in model.layers}
    assert kinds & {"ReLU", "LeakyReLU", "PReLU"} == {layer}
    if activation == "leaky_relu_30":
        assert {x.negative_slope for x in model.layers if type(x).__name__ == layer} == {30.0}


def test_l2_enters_the_loss() -> None:
    assert not build("simple_cnn", SPEC).losses
    assert build("simple_cnn", Spec(32, 32, 1, 3, 1.0, l2=0.1)).losses


def test_freezing_leaves_only_the_head_to_learn() -> None:
    model = build("vgg19", Spec(32, 32, 1, 3, 0.1, head_units=4), freeze=True)
    assert {w.path.split("/")[0] for w in model.trainable_weights} == {"head_dense", "scores"}
    assert is_head("scores")
    assert not is_head("block1_conv1")


def test_a_frozen_body_is_the_same_after_training(tmp_path: Path) -> None:
    start_tensorflow(1)
    settings = TrainingSettings(
        architecture="dhanapal_cnn", width_multiplier=0.25, freeze=True, epochs=2, batch=8
    )
    pixels = np.random.default_rng(2).integers(0, 256, (16, 32, 32), dtype=np.uint8)
    images = Images(pixels, np.arange(16, dtype=np.int64) % 2)
    state = RunState(settings=settings, dataset_fingerprint="f", initial_weights=None)
    checkpoint = Checkpoint.begin(tmp_path / "run", state, resume=False, force=False)
    model = fit(images, images, 2, checkpoint, on_epoch=lambda _: None)
    start_tensorflow(1)
    before = build("dhanapal_cnn", spec_of(settings, 32, 32, 2))
    for mine, theirs in zip(model.layers, before.layers, strict=True):
        same = all(
            np.array_equal(a, b)
            for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True)
        )
        assert same is not is_head(mine.name) or not mine.weights


@pytest.mark.parametrize(
    ("name", "spec", "sentence"),
    [
        ("resnet", SPEC, "expected an architecture of complex_cnn, .*, found 'resnet'"),
        ("resnet50", SPEC, "has only the width 1, found --width 0.25; leave --width away"),
        ("vgg19", Spec(31, 64, 1, 2), "needs images of 32 pixels at least, found 31×64"),
        ("vgg19", Spec(32, 32, 1, 2, activation="prelu"), "--activation means nothing to it"),
        ("mobilenet_v1", Spec(32, 32, 1, 2, l2=0.1), "--l2 means nothing to it"),
    ],
)
def test_what_an_architecture_cannot_do_is_refused(name: str, spec: Spec, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check(name, spec)


def test_gray_weights_compute_what_rgb_weights_compute_of_a_gray_picture() -> None:
    """Away from the padded border, where the two see different margins."""
    start_tensorflow(1)
    import keras

    generator = np.random.default_rng(3)
    kernel = generator.normal(size=(3, 3, 3, 4)).astype(np.float32)
    bias = generator.normal(size=4).astype(np.float32)
    pixels = generator.integers(0, 256, (1, 9, 9, 1)).astype(np.float32)
    mean, deviation = np.float32([103.9, 116.8, 123.7]), np.float32([1.0, 2.0, 3.0])
    rgb = (np.repeat(pixels, 3, axis=3) - mean) / deviation
    expected = keras.ops.conv(rgb, kernel) + bias
    [gray, offset], left = gray_kernel(
        [kernel, bias], 128 / deviation, (128 - mean) / deviation
    )  # fmt: skip
    found = keras.ops.conv((pixels - 128) / 128, gray) + offset
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    assert left is None
    [_], left = gray_kernel([kernel], 128 / deviation, (128 - mean) / deviation)
    np.testing.assert_allclose(left, offset - bias, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("name", "width"), [("mobilenet_v1", 0.25), ("mobilenet_v2", 0.35)])
def test_a_file_of_rgb_weights_gives_the_gray_body_the_same_features(
    name: str, width: float, tmp_path: Path
) -> None:
    start_tensorflow(1)
    import keras

    factory = {"mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2"}[name]
    make = getattr(keras.applications, factory)
    rgb = make(weights=None, alpha=width, include_top=False, input_shape=(64, 64, 3))
    rgb.save_weights(tmp_path / "rgb.weights.h5")
    gray = build(name, Spec(64, 64, 1, 2, width))
    load_weights(gray, name, str(tmp_path / "rgb.weights.h5"), width)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 1)).astype(np.float32)
    expected = rgb.predict_on_batch(np.repeat(pixels / 127.5 - 1, 3, axis=3)).mean(axis=(1, 2))
    body = keras.Model(gray.input, gray.get_layer("scores").input)
    found = body.predict_on_batch((pixels - 128) / 128)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.slow
def test_every_body_with_imagenet_weights_has_the_layers_of_its_original(tmp_path: Path) -> None:
    import keras

    for name, factory in (("resnet50", "ResNet50"), ("efficientnet_b0", "EfficientNetB0")):
        make = getattr(keras.applications, factory)
        rgb = make(weights=None, include_top=False, input_shape=(32, 32, 3))
        rgb.save_weights(tmp_path / f"{name}.weights.h5")
        gray = build(name, Spec(32, 32, 1, 2, 1.0))
        load_weights(gray, name, str(tmp_path / f"{name}.weights.h5"), 1.0)


def test_weights_of_another_network_are_one_sentence(tmp_path: Path) -> None:
    gray = build("mobilenet_v2", Spec(32, 32, 1, 2, 0.35))
    (tmp_path / "bad.weights.h5").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="does not hold Keras' weights of MobileNetV2"):
        load_weights(gray, "mobilenet_v2", str(tmp_path / "bad.weights.h5"), 0.35)
    with pytest.raises(UsageError, match=r"--weights fits mobilenet_v1, .* found simple_cnn"):
        load_weights(gray, "simple_cnn", "imagenet", 1.0)


def test_weights_that_cannot_be_downloaded_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    def offline(**_: object) -> None:
        raise Exception("URL fetch failure on https://example.org: None -- no name")  # as Keras has

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    gray = Spec(32, 32, 1, 2, 0.35)
    with pytest.raises(TrainingError, match="are not in Keras' cache and could not be downloaded"):
        load_weights(ARCHITECTURES["simple_cnn"].build(gray), "mobilenet_v2", "imagenet", 0.35)


def test_a_missing_weights_file_is_found_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "set")
    assert run(["data", "phantom", data, "--train", "4", "--test", "0", "--size", "64"]) == 0
    options = ("--weights", str(tmp_path / "none.h5"), "--cache", str(tmp_path / "cache"))
    assert run(["train", data, "--out", str(tmp_path / "m"), *options]) == 2
    err = capsys.readouterr().err
    assert "--weights takes 'imagenet' or a file" in err
    assert "epoch" not in err


def test_the_rate_falls_when_the_validation_loss_stands_still() -> None:
    settings = TrainingSettings(
        schedule="plateau", learning_rate=1.0, plateau_factor=0.5, plateau_patience=2
    )

    def rate(*losses: float) -> float:
        rows = [
            Epoch(
                epoch=i, learning_rate=1, train_loss=1, train_accuracy=0, val_loss=loss,
                val_accuracy=0, val_balanced_accuracy=0, seconds=0,
            )
            for i, loss in enumerate(losses, start=1)
        ]  # fmt: skip
        return plateau_rate(rows, settings)

    assert rate() == rate(1.0) == rate(1.0, 1.0) == 1.0
    assert rate(1.0, 1.0, 1.1) == 0.5
    assert rate(1.0, 1.0, 1.1, 1.2) == 0.5
    assert rate(1.0, 1.0, 1.1, 1.2, 1.3) == 0.25
    assert rate(1.0, 1.1, 0.9, 1.0) == 1.0
