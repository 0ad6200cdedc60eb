"""The test faces of which the prediction is shown: one that is named rightly, and one wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.pictures import shown
from analyses.plugin import Outcome
from analyses.transfer._facescrub_settings import FaceParameters
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric, Picture, Pictures, Table


def worked_examples(run: Outcome) -> list[dict[str, Any]]:
    """The predictions that are shown, the right one first; outcomes once kept a single one."""
    kept = run["worked"]
    return kept if isinstance(kept, list) else [kept]


def _named(worked: Mapping[str, Any]) -> str:
    shares = worked["shares"]
    return str(worked["classes"][shares.index(max(shares))])


def _is_right(worked: Mapping[str, Any]) -> bool:
    return _named(worked) == str(worked["truth"])


def person(name: str) -> str:
    return name.replace("_", " ").title()


def worked_table(worked: Sequence[Mapping[str, Any]]) -> Table:
    """The probabilities of each shown face, people in one order."""
    people = worked[0]["classes"]
    labels = {
        f"face{number}": f"{person(one['truth'])} ({'right' if _is_right(one) else 'wrong'})"
        for number, one in enumerate(worked)
    }
    faces = " and ".join(
        f"of {person(one['truth'])}, which it names "
        + ("correctly" if _is_right(one) else f"{person(_named(one))}, wrongly")
        for one in worked
    )
    return builders.table(
        f"Probabilities (%) that the fine-tuned network assigns to the {len(people)} people for a test "
        f"photograph {faces}.",
        {
            "person": builders.text("Person"),
            **{key: builders.percent(label, best="highest") for key, label in labels.items()},
        },
        [
            {"person": person(name)}
            | {f"face{number}": one["shares"][n] for number, one in enumerate(worked)}
            for n, name in enumerate(people)
        ],
    )


def worked_metrics(worked: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
    found = {}
    for one in worked:
        name = f"worked/{'right' if _is_right(one) else 'wrong'}"
        truth = one["shares"][one["classes"].index(one["truth"])]
        for key, value, title in (
            ("named", max(one["shares"]), "of the person that is named"),
            ("truth", truth, "of the person in truth"),
        ):
            found[f"{name}/{key}"] = builders.metric(value, f"Probability {title}, {one['file']}", FRACTION)
    return found


def worked_finding(worked: Sequence[Mapping[str, Any]], *, right: bool) -> Finding:
    """The worked example that is named rightly, or wrongly, in a sentence with its probabilities."""
    chosen = [one for one in worked if _is_right(one) == right]
    kind = "right" if right else "wrong"
    name = f"worked/{kind}"
    words = f"A prediction that is {kind} is shown"
    if not chosen:
        none = f"The recorded outcomes hold no example of a {kind} answer."
        return builders.statement(words, False, yes=none, no=none)
    one = chosen[0]
    truth = person(one["truth"])
    again = not right and any(_is_right(other) and other["truth"] == one["truth"] for other in worked)
    face = "another photograph of the same person" if again else f"a test photograph of {truth}"
    ends = (
        f"The fine-tuned network names {face} correctly, with a probability of {{{name}/named:percent}}."
        if right
        else f"It misidentifies {face} as {person(_named(one))}, with a probability of "
        f"{{{name}/named:percent}}, against {{{name}/truth:percent}} for {truth}."
    )
    return builders.statement(words, True, f"{name}/named", f"{name}/truth", yes=ends, no=ends)


def worked_pictures(parameters: FaceParameters, worked: Sequence[Mapping[str, Any]]) -> Pictures:
    """The faces of the worked examples, as the network is given them."""
    from lab.datasets import load as load_images

    side = (parameters.view, parameters.view)
    images = load_images(parameters.name, parameters.split, size=side, grey=False, damaged=parameters.damaged)
    return Pictures(
        caption="The test photographs of the worked examples, as the network is given them, with the person "
        "that it names and the probability.",
        alt="; ".join(f"a face of {person(one['truth'])}, named {person(_named(one))}" for one in worked),
        columns=6,
        pictures=tuple(
            Picture(
                png=shown(images.images[images.files.index(one["file"])]),
                title=f"{person(_named(one))}, {max(one['shares']):.1%}"
                + ("" if _is_right(one) else f" (wrong: {person(one['truth'])})"),
            )
            for one in worked
        ),
    )
