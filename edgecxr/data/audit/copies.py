# SPDX-License-Identifier: Apache-2.0
"""Images that show the same: across splits, within them, across sets, with other labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from edgecxr.data.audit.finding import Finding, Severity
from edgecxr.data.audit.material import Copy, Material

EXAMPLES: Final = 5

_KEEP_ONE: Final = "Keep one of each group, for example with `edgecxr data pool`"


def copies(material: Material) -> list[Finding]:
    """Findings about all pairs, each pair in one of them; conflicts of labels apart."""
    places: defaultdict[tuple[str, int, int, str, str], list[Copy]] = defaultdict(list)
    for pair in material.copies:
        a, b = (int(material.of_source[i]) for i in (pair.first, pair.second))
        splits = [material.samples[i].split for i in (pair.first, pair.second)]
        if a != b:
            places["sets", a, b, "", ""].append(pair)
        elif splits[0] != splits[1]:
            first, second = sorted(splits, key=_order)
            places["splits", a, a, first, second].append(pair)
        else:
            places["within", a, a, splits[0], splits[0]].append(pair)
    found = []
    for (kind, a, b, first, second), pairs in places.items():
        if kind == "splits":
            found.append(_across_splits(material, a, (first, second), pairs))
        elif kind == "within":
            found.append(_within(material, a, first, pairs))
        else:
            found.append(_across_sets(material, (a, b), pairs))
    return found


def conflicts(material: Material) -> list[Finding]:
    """Pairs whose labels differ, one finding per set or pair of sets.

    Two sets may name one class differently. Labels that differ only in case and punctuation are
    the same; so are two that are each other's most frequent partner among the pairs of two sets.
    """
    places: defaultdict[tuple[int, int], list[Copy]] = defaultdict(list)
    for pair in material.copies:
        a, b = sorted(int(material.of_source[i]) for i in (pair.first, pair.second))
        places[a, b].append(pair)
    found = []
    for (a, b), pairs in places.items():
        same = _synonyms(material, pairs) if a != b else set()
        wrong = [pair for pair in pairs if (labels := _labels(material, pair))[0] != labels[1]]
        wrong = [pair for pair in wrong if _labels(material, pair) not in same]
        if wrong:
            found.append(_conflict(material, (a, b), wrong))
        if same:
            found.append(_names_differ(material, (a, b), same))
    return found


def plain(label: str) -> str:
    """A label without case and punctuation."""
    return "".join(letter for letter in label.casefold() if letter.isalnum())


def _labels(material: Material, pair: Copy) -> tuple[str, str]:
    """In the order of the sets."""
    ends = sorted((pair.first, pair.second), key=lambda i: (material.of_source[i], i))
    first, second = (plain(material.samples[i].label) for i in ends)
    return first, second


def _synonyms(material: Material, pairs: Sequence[Copy]) -> set[tuple[str, str]]:
    count = Counter(_labels(material, pair) for pair in pairs)
    best_right: dict[str, tuple[str, str]] = {}
    best_left: dict[str, tuple[str, str]] = {}
    for both, _ in count.most_common():
        best_right.setdefault(both[0], both)
        best_left.setdefault(both[1], both)
    return {
        both
        for both in best_right.values()
        if both[0] != both[1] and best_left[both[1]] == both and count[both] > 1
    }


def _across_splits(
    material: Material, source: int, splits: tuple[str, str], pairs: Sequence[Copy]
) -> Finding:
    later = {
        i for p in pairs for i in (p.first, p.second) if material.samples[i].split == splits[1]
    }
    total = sum(material.samples[i].split == splits[1] for i in material.positions(source).tolist())
    by_class = Counter(material.samples[i].label for i in later)
    classes = ", ".join(f"{n} of {label}" for label, n in by_class.most_common())
    return Finding(
        kind="copies-across-splits",
        severity="high",
        sets=_sets(material, source),
        what=(
            f"{_count(pairs)} lie across {splits[0]} and {splits[1]}: {len(later)} of {total} "
            f"images of {splits[1]} ({classes}) have a copy in {splits[0]}"
        ),
        why=f"A model that remembers {splits[0]} gets them right, so figures on {splits[1]} are "
        "too good",
        do=f"Remove them from {splits[0]}",
        count=len(pairs),
        examples=_examples(material, pairs),
    )


def _within(material: Material, source: int, split: str, pairs: Sequence[Copy]) -> Finding:
    severity: Severity = "low" if split == "train" else "medium"
    why = {
        "train": "They count several times, and a validation split drawn from train is torn apart "
        "by those that are not equal byte for byte",
        "": "A split drawn at random has copies on both sides",
    }.get(split, f"One error counts several times, so {split} is smaller than it looks")
    where = f"within {split}" if split else "in the set, which has no splits"
    return Finding(
        kind="copies-within-split",
        severity=severity,
        sets=_sets(material, source),
        what=f"{_count(pairs)} lie {where}",
        why=why,
        do=_KEEP_ONE,
        count=len(pairs),
        examples=_examples(material, pairs),
    )


def _across_sets(material: Material, sets: tuple[int, int], pairs: Sequence[Copy]) -> Finding:
    ends = [tuple(material.samples[i].split for i in (p.first, p.second)) for p in pairs]
    torn = sum("test" in both and "train" in both for both in ends)
    names = [material.sources[i].name for i in sets]
    sides = f"; {torn} of them join a train and a test image" if torn else ""
    return Finding(
        kind="copies-across-sets",
        severity="high" if torn else "medium",
        sets=tuple(names),
        what=f"{_count(pairs)} lie across {names[0]} and {names[1]}{sides}",
        why="Training on one and testing on the other, or mixing them, tests on what was learnt",
        do="Mix them with `edgecxr data pool … --away-from` the set that you test on",
        count=len(pairs),
        examples=_examples(material, pairs),
    )


def _conflict(material: Material, sets: tuple[int, int], pairs: Sequence[Copy]) -> Finding:
    kinds = Counter(
        " and ".join(sorted(material.samples[i].label for i in (p.first, p.second))) for p in pairs
    )
    listed = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(EXAMPLES))
    pairs_are = "pair of copies has" if len(pairs) == 1 else "pairs of copies have"
    return Finding(
        kind="label-conflict",
        severity="high",
        sets=_sets(material, *sets),
        what=f"{len(pairs)} {pairs_are} labels that differ: {listed}",
        why="At least one of the two labels is wrong",
        do="Look at them and correct or remove them",
        count=len(pairs),
        examples=_examples(material, pairs),
    )


def _names_differ(
    material: Material, sets: tuple[int, int], same: Iterable[tuple[str, str]]
) -> Finding:
    names = [material.sources[i].name for i in sets]
    labels = {
        (source, plain(sample.label)): sample.label
        for source, sample in zip(material.of_source.tolist(), material.samples, strict=True)
    }
    listed = ", ".join(
        f"'{labels[sets[0], a]}' and '{labels[sets[1], b]}'" for a, b in sorted(same)
    )
    return Finding(
        kind="class-names-differ",
        severity="low",
        sets=tuple(names),
        what=f"What {names[0]} and {names[1]} have in common goes by other class names: {listed}",
        why="They are taken for the same here; if one is wider than the other, it is not",
        do="Give them one name when you mix the sets (`edgecxr data pool --label`)",
    )


def _count(pairs: Sequence[Copy]) -> str:
    exact = sum(pair.exact for pair in pairs)
    noun = "pair of images that shows" if len(pairs) == 1 else "pairs of images that show"
    return f"{len(pairs)} {noun} the same ({exact} exact, {len(pairs) - exact} near)"


def _examples(material: Material, pairs: Sequence[Copy]) -> list[list[str]]:
    worst = sorted(pairs, key=lambda pair: -abs(pair.score))[:EXAMPLES]
    return [[material.name(pair.first), material.name(pair.second)] for pair in worst]


def _sets(material: Material, *sources: int) -> tuple[str, ...]:
    return tuple(material.sources[i].name for i in dict.fromkeys(sources))


def _order(split: str) -> int:
    return ("train", "val", "test", "").index(split)
