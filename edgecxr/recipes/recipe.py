# SPDX-License-Identifier: Apache-2.0
"""One experiment of a paper as a TOML file: its images, its settings, its figures.

A recipe holds the options of the public commands, by the names that they have there, so that
everything it does can be typed by hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecxr.errors import DataError, UsageError

_INSTALLED: Final = Path(__file__).parent / "papers"
_REPOSITORY: Final = Path(__file__).parents[2] / "benchmarks" / "papers"

#: The folder of the recipes, of the sets' table and of the lists of images.
FOLDER: Final = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
_SETS: Final = "sets.toml"

Setting = Literal["full", "reduced", "quick"]
Share = Annotated[float, Field(ge=0, le=1)]
Options = dict[str, bool | int | float | str | list[str]]

# What makes any recipe a matter of seconds, on phantoms. Nothing is downloaded for it.
QUICK: Final[Options] = {"epochs": 1, "size": 32, "batch": 8, "validation-share": 0.25}
_NOT_QUICK: Final = ("weights", "freeze")
QUICK_PHANTOMS: Final = (12, 4)  # of each class, to train on and to test on


_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageSet(_Strict):
    """Images that recipes name, and how a user lays them out.

    Attributes:
        about: what they are, with their licence.
        where: how they lie below the data root.
        folders: folders below the data root; the first is the set where nothing is listed.
        listed: a CSV file beside the recipes (file, label, split, optional patient).
        fingerprint: of the files that the figures here were made with.
    """

    about: str
    where: str
    folders: tuple[str, ...] = Field(min_length=1)
    listed: str | None = None
    fingerprint: str | None = None


class Reduced(_Strict):
    """What is made smaller where the full setting takes too long.

    Attributes:
        images_per_class: training images of each class that stay; test images all stay.
        train: options that replace those of the recipe; false takes one out.
    """

    images_per_class: int | None = Field(None, ge=8)
    train: Options = {}


class Pool(_Strict):
    """Images to pre-train on: `edgecxr data pool` leaves out whatever the recipe's own set has.

    Attributes:
        data: names in ``sets.toml``; of each set the whole first folder.
        label: rules of `edgecxr data pool`, ``GLOB=LABEL``.
        train: options of `edgecxr train` for the pre-training, without the dashes.
    """

    data: tuple[str, ...] = Field(min_length=1)
    images: tuple[ImageSet, ...]
    label: tuple[str, ...] = ()
    train: Options


class Recipe(_Strict):
    """One experiment.

    Attributes:
        name: the file's, without suffix.
        paper: whose experiment it is.
        reports: what the paper reports, as shares of 1; the keys are words.
        data: a name in ``sets.toml``.
        differs: how this is not the paper's experiment, in sentences.
        train, quantize: options of the two commands, without the dashes.
        pool: what the network is pre-trained on; every seed starts from the same one.
    """

    name: str
    title: str
    paper: str
    reports: dict[str, Share] = {}
    data: str
    images: ImageSet
    differs: tuple[str, ...]
    train: Options
    quantize: Options = {}
    reduced: Reduced | None = None
    pool: Pool | None = None

    @model_validator(mode="after")
    def _has_an_architecture(self) -> Self:
        if "arch" not in self.train:
            raise ValueError("[train] needs arch, the architecture's name")
        return self

    @property
    def folders(self) -> tuple[str, ...]:
        """Below the data root, of its own images and of those to pre-train on."""
        first = [each.folders[0] for each in self.pool.images] if self.pool else []
        return tuple(dict.fromkeys((*self.images.folders, *first)))

    def options(self, setting: Setting) -> Options:
        """The options of `edgecxr train` in this setting.

        Raises:
            UsageError: if the recipe has no reduced setting and that was asked for.
        """
        if setting == "quick":
            kept = {k: v for k, v in self.train.items() if k not in _NOT_QUICK}
            return {**kept, **QUICK}
        if setting == "reduced":
            merged = {**self.train, **self._smaller().train}
            return {name: value for name, value in merged.items() if value is not False}
        return self.train

    def images_per_class(self, setting: Setting) -> int | None:
        """Training images of each class that stay in this setting; None: all."""
        return self._smaller().images_per_class if setting == "reduced" else None

    def what_is_reduced(self, setting: Setting) -> tuple[str, ...]:
        """In words: each option that differs from the full setting, and the images left."""
        if setting == "full":
            return ()
        if setting == "quick":
            without = ("without pre-training",) if self.pool else ()
            return ("phantoms", *without, *(f"{name} {value}" for name, value in QUICK.items()))
        smaller = self._smaller()
        left = smaller.images_per_class
        images = (f"{left} training images of each class",) if left else ()
        return (*images, *(self._change(name, value) for name, value in smaller.train.items()))

    def _change(self, name: str, value: Any) -> str:
        before = self.train.get(name)
        if value is False:
            return f"without {name}" + ("" if before is True else f" {before}")
        if value is True:
            return f"with {name}"
        return f"{name} {value}" + ("" if before is None else f" instead of {before}")

    def _smaller(self) -> Reduced:
        if self.reduced is None:
            raise UsageError(f"recipe {self.name} has no reduced setting; run it without --reduced")
        return self.reduced


def arguments(options: Options) -> tuple[str, ...]:
    """Options as they are typed: ``{"size": 150, "freeze": True}`` → ``--size 150 --freeze``."""
    typed: list[str] = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not False:
                typed += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return tuple(typed)


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """All recipes, by name."""
    return tuple(sorted(p.stem for p in folder.glob("*.toml") if p.name != _SETS))


def find(name: str, folder: Path = FOLDER) -> Recipe:
    """The recipe of this name.

    Raises:
        UsageError: if there is none.
        DataError: if its file is not valid.
    """
    if name not in names(folder):
        known = ", ".join(names(folder))
        raise UsageError(f"expected a recipe of {known}, found {name!r}")
    path = folder / f"{name}.toml"
    content = _read(path)
    if extra := {"name", "images"} & set(content):
        raise DataError(f"{path.name} has {extra.pop()!r}, which recipes do not have; take it out")
    data = content.get("data")
    sets = image_sets(folder)
    if not isinstance(data, str) or data not in sets:
        raise DataError(
            f"data of {path.name} must be one of {', '.join(sets)} ({_SETS}), found {data!r}"
        )
    given = {**content, "name": name, "images": sets[data].model_dump()}
    if "pool" in content:
        given["pool"] = _with_images(content["pool"], sets, path)
    return _checked(Recipe, given, path)


def _with_images(pool: Any, sets: Mapping[str, ImageSet], path: Path) -> dict[str, Any]:
    wanted = pool.get("data") if isinstance(pool, dict) else None
    if not isinstance(wanted, list) or not all(str(name) in sets for name in wanted):
        raise DataError(
            f"[pool] of {path.name} must have data, a list of {', '.join(sets)} ({_SETS}), "
            f"found {wanted!r}"
        )
    if "images" in pool:
        raise DataError(f"[pool] of {path.name} has 'images', which it must not; take it out")
    return {**pool, "images": [sets[name].model_dump() for name in wanted]}


@cache
def image_sets(folder: Path = FOLDER) -> dict[str, ImageSet]:
    """The sets of images by name.

    Raises:
        DataError: if ``sets.toml`` is not valid.
    """
    path = folder / _SETS
    return {name: _checked(ImageSet, content, path) for name, content in _read(path).items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} could not be read as TOML: {error}") from error


def _checked(model: type[_Model], content: Any, path: Path) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(f"{path.name}: {where}: {first['msg']}; correct it") from error
