"""Pairs of faces with their distances, as tables and, where the faces are, as pictures."""

from __future__ import annotations

from itertools import combinations

from analyses.pictures import shown
from analyses.plugin import Outcome
from analyses.verification._verification import Faces
from analyses.verification._verification_people import load_faces
from results import builders
from results.schema import Picture, Pictures, Table

HARDEST = 5  # pairs of each kind
Chosen = list[tuple[int, int]]  # pairs of the tested images, by number


def _distances(outcome: Outcome) -> dict[tuple[int, int], float]:
    """The distance of every pair of the tested images."""
    from lab.verification import every

    ends = zip(*every(len(outcome["files"])), strict=True)
    return {(int(a), int(b)): d for (a, b), d in zip(ends, outcome["distances"], strict=True)}


def example_pairs(outcome: Outcome) -> Chosen:
    """Of the first three people: two images of each, and an image of each two."""
    people = list(dict.fromkeys(outcome["people"]))[:3]
    own = [[at for at, name in enumerate(outcome["people"]) if name == person] for person in people]
    same = [(images[0], images[1]) for images in own]
    return [*same, *((a[0], b[0]) for a, b in combinations(own, 2))]


def hardest_pairs(outcome: Outcome) -> Chosen:
    """The same pairs that lie furthest apart, and the different ones that lie closest."""
    import numpy as np

    from lab.verification import every

    first, second = every(len(outcome["files"]))
    distances, people = np.array(outcome["distances"]), np.array(outcome["people"])
    same = people[first] == people[second]
    chosen = []
    for kind, sign in ((same, -1), (~same, 1)):
        where = np.flatnonzero(kind)
        hardest = where[np.argsort(sign * distances[where], kind="stable")][:HARDEST]
        chosen += [(int(first[at]), int(second[at])) for at in hardest]
    return chosen


def _pairs_table(caption: str, outcome: Outcome, chosen: Chosen, threshold: float) -> Table:
    """Some pairs, and the answer at the threshold."""
    distance = _distances(outcome)
    return builders.table(
        caption,
        {
            "people": builders.text("People"),
            "first": builders.text("First image"),
            "second": builders.text("Second image"),
            "distance": builders.number("Distance", ".3f"),
            "answer": builders.text("Answer"),
        },
        [
            {
                "people": _in_truth(outcome, pair),
                "first": outcome["files"][pair[0]],
                "second": outcome["files"][pair[1]],
                "distance": distance[pair],
                "answer": "same" if distance[pair] < threshold else "different",
            }
            for pair in chosen
        ],
    )


def _in_truth(outcome: Outcome, pair: tuple[int, int]) -> str:
    first, second = (outcome["people"][at] for at in pair)
    return "same" if first == second else "different"


def examples_table(outcome: Outcome, threshold: float) -> Table:
    return _pairs_table(
        "Pairs of the tutorial's test people, by image of the AT&T faces: whether they show one person, "
        "their distances in the tutorial's network (first seed), and the answer at its threshold, "
        f"{threshold:.3f}.",
        *(outcome, example_pairs(outcome), threshold),
    )


def hardest_table(outcome: Outcome, threshold: float) -> Table:
    return _pairs_table(
        "The hardest pairs of the people with and without glasses, by image of the AT&T faces: the pairs of "
        "one person that lie furthest apart in the new network (first seed), and those of two people that "
        f"lie closest, with the answer at its threshold, {threshold:.3f}.",
        *(outcome, hardest_pairs(outcome), threshold),
    )


def pair_pictures(
    faces: Faces, outcome: Outcome, chosen: Chosen, threshold: float, what: str, network: str
) -> Pictures:
    """Each pair side by side, its distance above the second image."""
    images, distance = load_faces(faces), _distances(outcome)
    number = {file: at for at, file in enumerate(images.files)}
    found = []
    for pair in chosen:
        first, second = (shown(images.images[number[outcome["files"][at]]]) for at in pair)
        answer = "same" if distance[pair] < threshold else "different"
        found.append(Picture(png=first, title=f"{_in_truth(outcome, pair)} in truth"))
        found.append(Picture(png=second, title=f"{distance[pair]:.2f}: {answer}"))
    return Pictures(
        caption=f"{what}. Each two photographs are a pair; above them stand whether it shows one person, its "
        f"distance in {network} (first seed), and the answer at its threshold, {threshold:.3f}.",
        alt=f"{len(chosen)} pairs of faces with their distances.",
        columns=6,
        pictures=tuple(found),
    )
