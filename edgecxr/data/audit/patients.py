# SPDX-License-Identifier: Apache-2.0
"""Patients on both sides of a split, as columns, rules or file names tell them."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from edgecxr.data.audit.copies import EXAMPLES
from edgecxr.data.audit.finding import Finding
from edgecxr.data.audit.material import Material


def patients(material: Material) -> list[Finding]:
    """Ids in two splits of a set, and ids with several images in one."""
    return [
        finding
        for source in range(len(material.sources))
        for finding in (*_across(material, source), *_several(material, source))
    ]


def _by_split(material: Material, source: int) -> dict[str, dict[str, list[int]]]:
    """Positions per split and id."""
    found: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position in material.positions(source).tolist():
        if material.ids[position]:
            found[material.samples[position].split][material.ids[position]].append(position)
    return {split: dict(ids) for split, ids in found.items()}


def _across(material: Material, source: int) -> list[Finding]:
    by_split = _by_split(material, source)
    given = material.given[source]
    found = []
    order = [split for split in ("train", "val", "test") if split in by_split]
    for first, second in combinations(order, 2):
        shared = sorted(set(by_split[first]) & set(by_split[second]))
        if not shared:
            continue
        images = sum(len(by_split[second][name]) for name in shared)
        some = ("patient has images", "patients have images")
        if not given:
            some = ("beginning of file names occurs", "beginnings of file names occur")
        what = some[len(shared) > 1]
        doubt = (
            ""
            if given
            else "; if they number patients, and the numbering does not start anew, "
            "the same people are on both sides"
        )
        found.append(
            Finding(
                kind="patients-across-splits",
                severity="high" if given else "medium",
                sets=(material.sources[source].name,),
                what=(
                    f"{len(shared)} {what} in {first} and in {second} ({images} images of "
                    f"{second}), such as {', '.join(shared[:3])}{doubt}"
                ),
                why=f"Images of one patient are alike, so figures on {second} are too good",
                do="Split by patient"
                if given
                else "Find out how the files were numbered; if by patient, split anew "
                "(`--patients` takes a rule for names)",
                count=len(shared),
                examples=[
                    [
                        material.name(by_split[first][name][0]),
                        material.name(by_split[second][name][0]),
                    ]
                    for name in shared[:EXAMPLES]
                ],
            )
        )
    return found


def _several(material: Material, source: int) -> list[Finding]:
    """Many images of one patient in a split from which another may be drawn."""
    if material.given[source]:
        return []  # edgecxr splits by these already
    found = []
    for split, ids in _by_split(material, source).items():
        repeated = {name: images for name, images in ids.items() if len(images) > 1}
        if split in ("val", "test") or not repeated:
            continue
        images = sum(len(each) for each in repeated.values())
        largest = sorted(repeated, key=lambda name: -len(repeated[name]))[:EXAMPLES]
        found.append(
            Finding(
                kind="patients-repeat",
                severity="low",
                sets=(material.sources[source].name,),
                what=(
                    f"{images} images{f' of {split}' if split else ''} share the beginning of "
                    f"their name with others, in {len(repeated)} groups that may be patients"
                ),
                why="A validation split drawn image by image would have one patient on both sides",
                do="Split by patient, with `--patients` if edgecxr does not know these names",
                count=len(repeated),
                examples=[[material.name(i) for i in repeated[name][:3]] for name in largest],
            )
        )
    return found
