# SPDX-License-Identifier: Apache-2.0
"""``edgecxr data``: look at a set of images, or make a synthetic one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common, data_audit, data_pool
from edgecxr.cli.terminal import show
from edgecxr.core.table import Part, Table, facts
from edgecxr.core.text import one_line

if TYPE_CHECKING:
    from edgecxr.data.info import DatasetInfo, Range

app = typer.Typer(
    help="Look at a set of images, or make a synthetic one.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.command("audit")(data_audit.audit)
app.command("pool")(data_pool.pool)


@app.command()
def info(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder <split>/<class>/file or <class>/file, or a CSV file with the columns "
            "file, label, split and, if you like, patient."
        ),
    ],
    patients: common.PatientsOption = None,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Counts, patients, sizes, bit depths, copies and the fingerprint of a set of images."""
    from edgecxr.data.cache import default_cache_dir
    from edgecxr.data.dataset import read_dataset
    from edgecxr.data.info import inspect

    dataset = read_dataset(
        source,
        patients=patients,
        check_leaks=False,
        cache_dir=cache or default_cache_dir(),
        progress=common.progress_bar,
    )
    found = inspect(dataset, str(source), progress=common.progress_bar)
    if as_json:
        common.print_json(found)
    else:
        show(_parts(found))


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
    train: Annotated[int, typer.Option(help="Images per class in train.", min=0)] = 600,
    val: Annotated[
        int, typer.Option(help="Images per class in val; training carves its own.", min=0)
    ] = 0,
    test: Annotated[int, typer.Option(help="Images per class in test.", min=0)] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same images.", min=0)] = 0,
    size: Annotated[int, typer.Option(help="Pixels along an edge.", min=64, max=1024)] = 192,
    force: common.ForceOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Write a synthetic set of chest X-rays: for trying the tool, never for a claim.

    Three classes: normal, focal_lobar (consolidation of one lobe) and bilateral_peripheral
    (ground glass near the chest wall of both lungs).
    """
    from edgecxr.data.phantom import write_phantoms

    counts = write_phantoms(
        folder,
        train=train,
        val=val,
        test=test,
        seed=seed,
        size=size,
        force=force,
        progress=common.progress_bar,
    )
    if as_json:
        common.print_json(
            {"folder": str(folder), "counts": counts, "seed": seed, "synthetic": True}
        )
    else:
        total = sum(sum(split.values()) for split in counts.values())
        common.say(f"{total} SYNTHETIC images are in {one_line(str(folder))}.")


@app.command("cache")
def cache_command(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove them; they are decoded again when needed.")
    ] = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Where the decoded images are kept, and how much room they take."""
    from edgecxr.data.cache import cached, clear_cache, default_cache_dir

    folder = cache or default_cache_dir()
    sets = cached(folder)
    size = clear_cache(folder) if clear else sum(sets.values())
    if as_json:
        found = {"folder": str(folder), "sets": len(sets), "bytes": size, "cleared": clear}
        common.print_json(found)
    else:
        what = "freed" if clear else "in use; --clear removes them"
        sets_of = "1 set" if len(sets) == 1 else f"{len(sets)} sets"
        common.say(
            f"{sets_of} of decoded images in {one_line(str(folder))}, {size / 1e6:,.1f} MB {what}"
        )


def _parts(info: DatasetInfo) -> list[Part]:
    splits = list(info.counts)
    rows = [
        [label, *map(str, numbers), str(sum(numbers))]
        for label in info.labels
        for numbers in [[info.counts[split][label] for split in splits]]
    ]
    totals = [sum(info.counts[split].values()) for split in splits]
    rows.append(["all images", *map(str, totals), str(info.images)])
    rows.append(["patients", *(str(info.patients[split]) for split in splits), ""])
    warnings = [f"Note: {text}." for text in info.warnings]
    listed = [f"  {bad.name}: {bad.reason}" for bad in info.unreadable]
    copies = [f"  {' = '.join(group)}" for group in info.copies]
    if copies:
        copies.insert(0, "Files with the same content:")
    lines = ["\n".join(map(one_line, part)) for part in (copies, [*warnings, *listed]) if part]
    return [Table(["class", *splits, "total"], rows), facts(_facts(info)), *lines]


def _facts(info: DatasetInfo) -> list[tuple[str, str]]:
    given = "as the source gives them"
    drawn = f"drawn by patient, stratified, with seed {info.split_seed}; the source has none"
    aspects = ", ".join(f"{label} {value:.2f}" for label, value in info.aspect_by_class.items())
    return [
        ("splits", given if info.split_seed is None else drawn),
        ("patients known", f"for {info.known_patients} of {info.images} images"),
        ("formats", ", ".join(f"{kind}: {count}" for kind, count in info.formats.items())),
        ("width", _spread(info.width_px, "px", 0)),
        ("height", _spread(info.height_px, "px", 0)),
        ("width : height", _spread(info.aspect, "", 2)),
        ("median by class", aspects),
        ("turned by EXIF", str(info.turned)),
        ("synthetic", "YES: phantoms, never for a claim" if info.synthetic else "no"),
        ("fingerprint", info.fingerprint or "none, because a file could not be read"),
    ]


def _spread(value: Range | None, unit: str, digits: int) -> str:
    if value is None:
        return "unknown"
    if value.min == value.max:
        return f"{value.min:.{digits}f} {unit}".strip()
    text = f"{value.min:.{digits}f} to {value.max:.{digits}f} {unit}".strip()
    return f"{text}, median {value.median:.{digits}f}"
