# SPDX-License-Identifier: Apache-2.0
"""``edgecxr train``: images → a bundle with a trained model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.training.architectures import ARCHITECTURES, find

if TYPE_CHECKING:
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.preprocess import Preprocessing
    from edgecxr.data.load import Reading
    from edgecxr.training.checkpoint import Epoch
    from edgecxr.training.settings import TrainingSettings


class Schedule(StrEnum):
    cosine = "cosine"
    constant = "constant"
    plateau = "plateau"


class Activation(StrEnum):
    default = "default"
    relu = "relu"
    leaky_relu = "leaky_relu"
    leaky_relu_30 = "leaky_relu_30"
    prelu = "prelu"


class Balance(StrEnum):
    weights = "weights"
    none = "none"


class Select(StrEnum):
    best = "best"
    last = "last"


class Resize(StrEnum):
    squash = "squash"
    fit_shortest = "fit-shortest"
    fit_longest = "fit-longest"
    reflect_pad = "reflect-pad"


class Step(StrEnum):
    crop_border = "crop-border"
    equalize = "equalize"
    clahe = "clahe"
    gaussian = "gaussian-3x3"


PREPROCESSING = "Preprocessing (kept in the bundle: every later command does the same)"
NETWORK = "Network"
LEARNING = "Learning"
AUGMENT = "Augmentation (uniform in ± the value; 0 switches it off)"
TEACHING = "Learning from other bundles"
RUNNING = "Running"


def train(
    data: Annotated[Path, typer.Argument(help="A folder of images, or a CSV file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle to make, a folder.")],
    resize: Annotated[
        Resize | None,
        typer.Option(
            help="squash: without regard to the aspect (the default). fit-shortest: cut off what "
            "is too long. fit-longest: black around the rest. reflect-pad: its mirror there.",
            rich_help_panel=PREPROCESSING,
            show_default=False,
        ),
    ] = None,
    step: Annotated[
        list[Step] | None,
        typer.Option(
            help="May be given several times. crop-border: cut off a black or white frame, before "
            "resizing. After it, in the order given: equalize, clahe (local), gaussian-3x3.",
            rich_help_panel=PREPROCESSING,
            show_default=False,
        ),
    ] = None,
    architecture: Annotated[
        str,
        typer.Option("--arch", help=f"One of {', '.join(ARCHITECTURES)}.", rich_help_panel=NETWORK),
    ] = "mobilenet_v1",
    width: Annotated[
        float | None,
        typer.Option(
            help="Width multiplier (default: the architecture's own; 0.25 for mobilenet_v1).",
            rich_help_panel=NETWORK,
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Height and width of the input in pixels (default: 96, or that of --init).",
            min=8,
            max=1024,
            rich_help_panel=NETWORK,
            show_default=False,
        ),
    ] = None,
    activation: Annotated[
        Activation,
        typer.Option(help="Of the papers' small CNNs.", rich_help_panel=NETWORK),
    ] = Activation.default,
    head_units: Annotated[
        int,
        typer.Option(help="Neurons of a hidden layer before the scores.", rich_help_panel=NETWORK),
    ] = 0,
    l2: Annotated[
        float,
        typer.Option("--l2", help="L2 of the papers' small CNNs.", rich_help_panel=NETWORK),
    ] = 0.0,
    weights: Annotated[
        str | None,
        typer.Option(
            help="'imagenet', or a file of Keras' weights without the top: the body starts from "
            "them, in gray.",
            rich_help_panel=NETWORK,
            show_default=False,
        ),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Train the head only.", rich_help_panel=NETWORK)
    ] = False,
    epochs: Annotated[int, typer.Option(help="Epochs.", rich_help_panel=LEARNING)] = 60,
    batch: Annotated[int, typer.Option(help="Images in a batch.", rich_help_panel=LEARNING)] = 32,
    learning_rate: Annotated[
        float, typer.Option(help="Peak learning rate of AdamW.", rich_help_panel=LEARNING)
    ] = 0.003,
    schedule: Annotated[
        Schedule, typer.Option(help="Learning-rate schedule.", rich_help_panel=LEARNING)
    ] = Schedule.cosine,
    plateau_factor: Annotated[
        float,
        typer.Option(help="Of the rate, with --schedule plateau.", rich_help_panel=LEARNING),
    ] = 0.3,
    plateau_patience: Annotated[
        int,
        typer.Option(
            help="Epochs without a better one before that, with --schedule plateau.",
            rich_help_panel=LEARNING,
        ),
    ] = 3,
    warmup: Annotated[
        float, typer.Option(help="Epochs of linear warm-up.", rich_help_panel=LEARNING)
    ] = 2.0,
    weight_decay: Annotated[
        float, typer.Option(help="Weight decay of AdamW.", rich_help_panel=LEARNING)
    ] = 0.005,
    dropout: Annotated[
        float, typer.Option(help="Dropout before the head.", rich_help_panel=LEARNING)
    ] = 0.1,
    label_smoothing: Annotated[
        float, typer.Option(help="Label smoothing.", rich_help_panel=LEARNING)
    ] = 0.1,
    mixup: Annotated[
        float,
        typer.Option(
            help="Mix pairs of images in shares of Beta(x, x); 0: off.", rich_help_panel=LEARNING
        ),
    ] = 0.0,
    average: Annotated[
        float,
        typer.Option(
            help="Average the weights over about so many last epochs; 1: off.",
            rich_help_panel=LEARNING,
        ),
    ] = 1.0,
    class_balance: Annotated[
        Balance,
        typer.Option(help="Let every class weigh the same, or not.", rich_help_panel=LEARNING),
    ] = Balance.weights,
    validation_share: Annotated[
        float,
        typer.Option(help="Share of the training patients to select on.", rich_help_panel=LEARNING),
    ] = 0.15,
    select: Annotated[
        Select,
        typer.Option(
            help="Keep the epoch with the lowest validation loss, or the last one.",
            rich_help_panel=LEARNING,
        ),
    ] = Select.best,
    early_stopping: Annotated[
        int,
        typer.Option(
            help="Stop after so many epochs without a better one; 0: never.",
            rich_help_panel=LEARNING,
        ),
    ] = 0,
    shift: Annotated[
        float, typer.Option(help="Share of the side.", rich_help_panel=AUGMENT)
    ] = 0.06,
    rotation: Annotated[float, typer.Option(help="Degrees.", rich_help_panel=AUGMENT)] = 8.0,
    zoom: Annotated[float, typer.Option(help="Relative.", rich_help_panel=AUGMENT)] = 0.1,
    contrast: Annotated[float, typer.Option(help="Relative.", rich_help_panel=AUGMENT)] = 0.2,
    brightness: Annotated[
        float, typer.Option(help="Share of the grey range.", rich_help_panel=AUGMENT)
    ] = 0.1,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Mirror half of the images. Off: the heart lies left, and a mirrored chest is a "
            "finding, not a variation.",
            rich_help_panel=AUGMENT,
        ),
    ] = False,
    gamma: Annotated[
        float, typer.Option(help="Natural logarithm of the exponent.", rich_help_panel=AUGMENT)
    ] = 0.0,
    shade: Annotated[
        float,
        typer.Option(
            help="Brightness that varies smoothly over the image; share of the grey range.",
            rich_help_panel=AUGMENT,
        ),
    ] = 0.0,
    blur: Annotated[
        float,
        typer.Option(
            help="1 is a 5×5 binomial blur; the other sign sharpens.", rich_help_panel=AUGMENT
        ),
    ] = 0.0,
    noise: Annotated[
        float,
        typer.Option(
            help="Largest standard deviation; share of the grey range.", rich_help_panel=AUGMENT
        ),
    ] = 0.0,
    erase: Annotated[
        float,
        typer.Option(
            help="Share of images in which a rectangle is made grey.", rich_help_panel=AUGMENT
        ),
    ] = 0.0,
    init: Annotated[
        Path | None,
        typer.Option(
            help="A bundle to start from (warm start); of other classes all but its last layer.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="A bundle of the same classes whose scores are a share of the targets; "
            "several are averaged.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    teacher_share: Annotated[
        float, typer.Option(help="That share.", rich_help_panel=TEACHING)
    ] = 0.5,
    temperature: Annotated[
        float,
        typer.Option(help="Above 1 it softens the teachers' scores.", rich_help_panel=TEACHING),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(help="Of the split, the weights, the order.", rich_help_panel=RUNNING)
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run, if there is one, from its last whole epoch.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="Use only TensorFlow ops that promise the same bits (about 1.5 times slower).",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            help="Threads that compute; 0: TensorFlow chooses. More help wide models only, and "
            "another number gives other bits.",
            rich_help_panel=RUNNING,
        ),
    ] = 1,
    force: common.ForceOption = False,
    skip_unreadable: common.SkipOption = False,
    patients: common.PatientsOption = None,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Train a classifier of grayscale images, 96×96 by default, and write it as a bundle.

    Reads `split/class/file`, `class/file`, or a CSV (file, label, split, optional patient).
    Validation images are taken from the training images, by patient; with --validation-share 0
    they are the source's own. The test split is not looked at.
    """
    from edgecxr.core.bundle import Bundle
    from edgecxr.training.settings import TrainingSettings

    settings = TrainingSettings.checked(
        architecture=architecture,
        width_multiplier=find(architecture).width if width is None else width,
        activation=activation.value,
        head_units=head_units,
        l2=l2,
        freeze=freeze,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        schedule=schedule.value,
        plateau_factor=plateau_factor,
        plateau_patience=plateau_patience,
        warmup_epochs=warmup,
        weight_decay=weight_decay,
        dropout=dropout,
        label_smoothing=label_smoothing,
        augmentation={
            "shift": shift,
            "rotation": rotation,
            "zoom": zoom,
            "contrast": contrast,
            "brightness": brightness,
            "flip": flip,
            "gamma": gamma,
            "shade": shade,
            "blur": blur,
            "noise": noise,
            "erase": erase,
        },
        mixup=mixup,
        average_epochs=average,
        teacher_share=teacher_share,
        temperature=temperature,
        class_balance=class_balance.value,
        validation_share=validation_share,
        select=select.value,
        early_stopping=early_stopping,
        seed=seed,
        deterministic=deterministic,
        threads=threads,
    )
    start = Bundle.open(init) if init else None
    bundle = _train(
        data,
        out,
        settings,
        common.reading(cache, patients, skip_unreadable),
        start,
        tuple(Bundle.open(path) for path in teacher or ()),
        weights,
        _preprocessing(start, resize, step, size),
        resume=resume,
        force=force,
    )
    _report(bundle, as_json)


def _train(
    data: Path,
    out: Path,
    settings: TrainingSettings,
    reading: Reading,
    init: Bundle | None,
    teachers: tuple[Bundle, ...],
    weights: str | None,
    preprocessing: Preprocessing,
    *,
    resume: bool,
    force: bool,
) -> Bundle:
    from edgecxr.core.bundle import MANIFEST, check_bundle_name
    from edgecxr.core.files import refuse_existing
    from edgecxr.data.load import Validation, load_source
    from edgecxr.training import train as stage

    check_bundle_name(out)
    refuse_existing(out, force, mark=MANIFEST)
    validation = Validation(settings.validation_share, settings.seed)
    source = load_source(data, preprocessing, reading, validation=validation)
    common.note_skipped(source.data.skipped)
    job = stage.Job(source, out, settings, preprocessing, reading.patients, init, teachers, weights)
    checkpoint = stage.begin(job, resume=resume, force=force)
    done = len(checkpoint.state.history)
    if done:
        common.note(f"Going on after epoch {done} of {settings.epochs}.")
    sizes = ", ".join(
        f"{len(source.data.of_split(name).labels)} {name}" for name in source.data.dataset.splits
    )
    common.note(f"Images: {sizes}. Classes: {', '.join(source.data.dataset.labels)}.")
    common.note("Starting TensorFlow; the first epoch takes longer.")
    with common.quiet(), common.progress_bar("Training", settings.epochs) as advance:
        advance(done)

        def on_epoch(row: Epoch) -> None:
            advance(1)
            common.note(
                f"epoch {row.epoch:>3}/{settings.epochs}  loss {row.train_loss:.3f}  "
                f"validation: loss {row.val_loss:.3f}, accuracy {100 * row.val_accuracy:.1f} %, "
                f"balanced {100 * row.val_balanced_accuracy:.1f} %  {row.seconds:.1f} s"
            )

        return stage.train(job, checkpoint, force=force, on_epoch=on_epoch)


def _preprocessing(
    init: Bundle | None, resize: Resize | None, steps: list[Step] | None, size: int | None
) -> Preprocessing:
    """As the options say; without them as ``init`` has it."""
    from edgecxr.core.preprocess import Preprocessing

    made = init.manifest.preprocessing if init else Preprocessing()
    if resize is not None or steps is not None:
        names = [step.value for step in steps or ()]
        of_steps = Preprocessing.of((resize or Resize.squash).value, names)
        made = made.model_copy(update={"steps": of_steps.steps})
    if size is not None:
        made = made.model_copy(update={"height": size, "width": size})
    return made


def _report(bundle: Bundle, as_json: bool) -> None:
    training, architecture = bundle.manifest.trained, bundle.manifest.architecture
    assert architecture is not None  # it was trained just now
    if as_json:
        common.print_json(
            {
                "model": str(bundle.folder),
                "epochs_run": training.epochs_run,
                "best_epoch": training.best_epoch,
                "seconds_per_epoch": training.seconds_per_epoch,
                "images": training.split.images,
                "skipped_unreadable": training.split.skipped_unreadable,
                "parameters": architecture.parameters,
            }
        )
        return
    if bundle.manifest.synthetic_data:
        common.note("Trained on SYNTHETIC phantoms: for trying the tool, never for a claim.")
    common.say(
        f"{bundle.folder}: epoch {training.best_epoch} of {training.epochs_run} selected, "
        f"{training.seconds_per_epoch:.1f} s an epoch. Next: edgecxr quantize {bundle.folder}"
    )
