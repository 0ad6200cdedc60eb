"""The most active maps of a network's first and last convolution, as outcomes keep them and as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses.pictures import array_of, credit, drawn, heat, png, signed
from analyses.plugin import Outcome
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric, Picture, Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lab.weights import Network

#: By architecture, the layers whose maps are drawn, after their activation; elsewhere the convolutions.
LAYERS = {
    "tf_efficientnet_lite0": ("bn1", "bn2"),
    "resnet18": ("relu", "layer4"),
    "resnet50": ("relu", "layer4"),
    "alexnet": ("features.1", "features.11"),
}
#: By architecture, where the activation of these layers ends: ReLU6 passes on no value above six.
LIMITS = {"tf_efficientnet_lite0": 6}
BELOW = 0.65  # the lightest grey, of white, of a value below the limit of its activation
#: Of the photographs, what is in their middle.
MIDDLES = {"cat": ", where the face of the cat is", "flower": ", where the flower is"}


def square(image: Tensor, share: float = 1.0) -> Tensor:
    """The centre of a photograph (1, 3, H, W): a square, of this share of its shorter side."""
    side = round(share * min(image.shape[2:]))
    top, left = ((length - side) // 2 for length in image.shape[2:])
    return image[..., top : top + side, left : left + side]


def maps_of(network: Network, image: Tensor, classes: Sequence[str], count: int) -> Outcome:
    """What a network makes of a square uint8 image (1, 3, S, S): the classes that it names, the filters of
    its first layer, and the `count` most active maps of its first and of its last convolution, as pictures.
    """
    import torch

    convolutions = _convolutions(network)
    layers = LAYERS.get(network.architecture, (convolutions[0], convolutions[-1]))
    with torch.no_grad():
        shares = network.model(network.prepared(image)).softmax(1)[0]
    best = shares.topk(min(5, len(shares)))
    filters = network.model.get_parameter(f"{convolutions[0]}.weight").detach()
    return {
        "photograph": png(drawn(image[0]).round().to(torch.uint8)),
        "said": [[classes[int(kind)], float(share)] for share, kind in zip(*best, strict=True)],
        "filters": [signed(_enlarged(one)) for one in filters] if filters.shape[1] == 3 else [],
        "filter_size": list(filters.shape),
    } | {
        place: _most_active_maps(network, image, layer, count)
        for place, layer in zip(("first", "last"), layers, strict=True)
    }


def first_maps(network: Network, image: Tensor, count: int) -> tuple[Picture, ...]:
    """A square uint8 image (1, 3, S, S), and the `count` most active maps of the first convolution for it."""
    import torch

    layer = LAYERS.get(network.architecture, _convolutions(network))[0]
    found = _most_active_maps(network, image, layer, count)
    return _with_maps(png(drawn(image[0]).round().to(torch.uint8)), found)


def _convolutions(network: Network) -> list[str]:
    import torch

    from lab.interpretation import weighted_layers

    return [
        name
        for name in weighted_layers(network.model)
        if isinstance(network.model.get_submodule(name), torch.nn.Conv2d)
    ]


def _most_active_maps(network: Network, image: Tensor, layer: str, count: int) -> Outcome:
    """The `count` maps of a layer with the largest means, as pictures."""
    from lab import weights

    maps = weights.features(network, image, layer)[0]
    order = maps.flatten(1).mean(1).argsort(descending=True)[:count]
    return {
        "layer": layer,
        "shape": list(maps.shape),
        "channels": order.tolist(),
        "maps": [heat(drawn(maps[one][None].clamp(min=0))[0]) for one in order],
        "silent": float((maps <= 0).flatten(1).all(1).float().mean()),
        "zero": float((maps <= 0).float().mean()),
    }


def _with_maps(photograph: str, found: Outcome) -> tuple[Picture, ...]:
    maps = zip(found["maps"], found["channels"], strict=True)
    return (
        Picture(png=photograph, title="Input"),
        *(Picture(png=one, title=str(channel)) for one, channel in maps),
    )


def _enlarged(weight: Tensor) -> Tensor:
    """(3, k, k) as (3, 8k, 8k)."""
    return weight.repeat_interleave(8, 1).repeat_interleave(8, 2)


def map_figures(
    outcome: Outcome, network: str, image: str, architecture: str, reduced: str = ""
) -> dict[str, Pictures]:
    """What `maps_of` drew: "first_maps" beside the photograph, "last_maps" beside what of the photograph they
    respond to, and "filters". network: in words; reduced: how the photograph was made smaller.
    """
    first, last = outcome["first"], outcome["last"]
    limit = _reached_limit(outcome, architecture)
    named = f"A photograph that the network calls {outcome['said'][0][0]}"
    white = (
        f"grey is below {limit}, and white is {limit}, where the activation ends"
        if limit
        else "and white the 99th percentile of the map and above"
    )
    figures = {
        "first_maps": Pictures(
            caption=f"A photograph{reduced}, and {_most_active(first, 'first', network, 'it')} In each map, "
            f"black is zero, and white marks the 99th percentile of this map and above.{credit(image)}",
            alt=f"{named}, and maps of its first convolution.",
            columns=7,
            pictures=_with_maps(outcome["photograph"], first),
        ),
        "last_maps": Pictures(
            caption=f"{_capitalised(_most_active(last, 'last', network, 'the photograph'))} Left of each "
            f"pair, a map: black is zero, {white}. Right of it, the photograph, at each position as bright "
            f"as the map is there.{credit(image)}",
            alt=f"{named}, under each of the most active maps of its last convolution.",
            columns=8,
            pictures=tuple(
                picture
                for one, channel in zip(last["maps"], last["channels"], strict=True)
                for picture in (
                    Picture(png=_in_grey(one, limit), title=str(channel)),
                    Picture(png=_seen_through(outcome["photograph"], one)),
                )
            ),
        ),
    }
    if outcome["filters"]:
        figures["filters"] = Pictures(
            caption=f"All filters of the first layer of {network}, in colour, with the numbers of their "
            "maps. Each filter is scaled to its own largest weight; mid-grey is zero.",
            alt=f"{len(outcome['filters'])} small pictures of filters.",
            columns=16,
            pictures=tuple(Picture(png=one, title=str(n)) for n, one in enumerate(outcome["filters"])),
        )
    return figures


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]


def _most_active(found: Outcome, place: str, network: str, what: str) -> str:
    return (
        f"the {len(found['maps'])} most active of the {found['shape'][0]:,} maps that the {place} "
        f"convolution of {network} produces for {what}: those with the largest mean, in descending order "
        f"(after the activation, {found['shape'][1]} × {found['shape'][2]} values each; numbers are those of "
        "the maps)."
    )


def _in_grey(drawn_map: str, limit: int | None) -> str:
    """A map in which values below the limit stay apart from those at it."""
    if limit is None:
        return drawn_map
    import numpy as np

    grey = array_of(drawn_map)
    return png(np.where(grey == grey.max(), grey, np.round(BELOW * grey)).astype(np.uint8))


def _seen_through(photograph: str, drawn_map: str) -> str:
    import numpy as np

    return png(np.round(array_of(photograph) * (array_of(drawn_map) / 255.0)).astype(np.uint8))


def _positions(found: Outcome) -> list[NDArray[Any]]:
    """Of each drawn map a number for each of its positions, as a share of its 99th percentile."""
    import numpy as np

    maps = []
    for drawn_map in found["maps"]:
        grey = array_of(drawn_map) / 255.0
        side = min(found["shape"][1], len(grey))
        middles = ((np.arange(side) + 0.5) * len(grey) / side).astype(int)
        maps.append(grey[np.ix_(middles, middles)])
    return maps


def _reached_limit(outcome: Outcome, architecture: str) -> int | None:
    """The limit of the activation, where every drawn map of the last convolution reaches it: white is the
    99th percentile, so that more than a hundredth of a map is white only if its largest values are equal.
    """
    limit = LIMITS.get(architecture)
    maps = _positions(outcome["last"])
    return limit if limit and all((one == 1).mean() > 0.01 + 1 / one.size for one in maps) else None


def map_metrics(outcome: Outcome, architecture: str) -> dict[str, Metric]:
    """How many maps of the first and of the last convolution there are, how many of their values are zero,
    and where the drawn maps of the last one are large.
    """
    import numpy as np

    metrics = {
        f"{place}/{key}": builders.metric(value, title, unit)
        for place in ("first", "last")
        for found in (outcome[place],)
        for key, value, title, unit in (
            ("channels", found["shape"][0], f"Maps of the {place} layer", ""),
            ("side", found["shape"][1], "Height and width of such a map", ""),
            ("zero", found["zero"], f"Share of its values that are not positive, {place}", FRACTION),
            ("silent", found["silent"], f"Share of its maps that are silent, {place}", FRACTION),
        )
    }
    maps = np.array(_positions(outcome["last"]))
    quarter = maps.shape[1] // 4
    middle = np.zeros(maps.shape[1:], dtype=bool)
    middle[quarter : len(middle) - quarter, quarter : len(middle) - quarter] = True
    for key, where, words in (("middle", middle, "in the middle half"), ("border", ~middle, "around it")):
        if where.any():
            metrics[f"last/{key}"] = builders.metric(
                float(maps[:, where].mean()),
                f"Mean value of the drawn last maps {words}, as a share of their largest",
                FRACTION,
            )
    if limit := _reached_limit(outcome, architecture):
        white = [float((one == 1).mean()) for one in maps]
        for key, value, words in (
            ("at_limit", sum(white) / len(white), "mean"),
            ("least_at_limit", min(white), "smallest"),
            ("most_at_limit", max(white), "largest"),
        ):
            metrics[f"last/{key}"] = builders.metric(
                value, f"Share of the positions of a drawn last map at the limit, {words}", FRACTION
            )
        metrics["last/limit"] = builders.metric(limit, "Limit of the activation")
    return metrics


def map_findings(metrics: Mapping[str, Metric], image: str) -> dict[str, Finding]:
    """Whether the drawn maps of the last convolution end at the limit of the activation, and what they
    share. metrics: those of `map_metrics`.
    """
    middle, border = metrics.get("last/middle"), metrics.get("last/border")
    shared = bool(middle and border and middle.value >= 2 * border.value)
    return {
        "last_maps_reach_limit": builders.statement(
            "Every drawn map of the last convolution is at the limit of the activation at several positions",
            "last/limit" in metrics,
            *(("last/limit", "last/at_limit") if "last/limit" in metrics else ()),
        ),
        "last_maps_are_sparser": builders.statement(
            "The values of the last convolution's maps are more often zero than those of the first's",
            metrics["last/zero"].value > metrics["first/zero"].value,
            "first/zero",
            "last/zero",
        ),
        "last_maps_share_the_middle": builders.statement(
            "The drawn maps of the last convolution are on average at least twice as large in the middle "
            "half as around it",
            shared,
            *(("last/middle", "last/border") if border else ()),
            yes=""
            if border is None  # maps of too few positions
            else f"All respond in the middle of the photograph{MIDDLES.get(image, '')}: on average, their "
            "values are {last/middle:percent} of the largest in the central half of its width and height, "
            "and {last/border:percent} outside this region.",
        ),
    }
