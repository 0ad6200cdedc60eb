"""concepts.segmentation: what plain, semantic and instance segmentation make of one drawn scene.

Two disks of one colour overlap; of two squares one has the colour of the disks. Clusters of colour, with no
class; the class of every pixel; and the object of every pixel. Expected: clusters take the square of that
colour for a disk, and connected regions of a class take the two disks for one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from analyses.pictures import png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Picture, Pictures
from results.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT, WIDTH = 96, 144
GROUND, ORANGE, BLUE = (96, 132, 92), (222, 140, 52), (62, 98, 190)
CLASSES = ("background", "disk", "square")
#: From back to front: class, row and column of the centre, half its width, colour.
OBJECTS = (
    ("disk", 48, 34, 24, ORANGE),
    ("disk", 52, 72, 22, ORANGE),
    ("square", 64, 118, 16, BLUE),
    ("square", 24, 114, 11, ORANGE),
)
#: Greys and colours of the maps, of the background first; apart in lightness, so that they print in grey.
FLAT = ((235, 235, 235), (32, 68, 140), (214, 116, 40), (120, 172, 214), (90, 30, 30))


class SegmentationParameters(Parameters):
    """noise: standard deviation of what is added to the colours, of 255. clusters: of colours. threshold: IoU
    from which a region counts as an object.
    """

    noise: float = Field(14.0, ge=0, le=64)
    clusters: int = Field(3, ge=2, le=len(FLAT))
    rounds: int = Field(20, ge=1)
    seed: int = Field(0, ge=0)
    threshold: float = Field(0.5, gt=0, lt=1)


class Segmentation(Analysis[SegmentationParameters]):
    id = "concepts.segmentation"
    title = "Three kinds of segmentation"
    question = "What do plain, semantic and instance segmentation say of the same pixels?"
    analytic = True

    def parameters(self, profile: Profile) -> SegmentationParameters:
        return SegmentationParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        import numpy as np
        from scipy.ndimage import label

        parameters = SegmentationParameters.model_validate(cell.settings)
        image, classes, objects = scene(parameters)
        clusters = clustered(image, parameters.clusters, parameters.rounds)
        named = np.zeros_like(classes)  # the class that is most frequent in a cluster
        for one in range(parameters.clusters):
            named[clusters == one] = np.bincount(classes[clusters == one]).argmax()
        regions = [
            found == number
            for kind in range(1, len(CLASSES))
            for found, count in (label(classes == kind),)
            for number in range(1, count + 1)
        ]
        best = [max(overlap(region, objects == one) for region in regions) for one in _numbers()]
        shown = {"Image": image.transpose(2, 0, 1)}
        maps = {"Plain": clusters, "Semantic": classes, "Instance": objects}
        shown |= {name: _painted(values) for name, values in maps.items()}
        return {
            "pictures": {name: png(pixels) for name, pixels in shown.items()},
            "iou": {name: overlap(named == at, classes == at) for at, name in enumerate(CLASSES)},
            "regions": len(regions),
            "best": best,
        }

    def summarize(self, parameters: SegmentationParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        (outcome,) = outcomes.values()
        found = sum(one >= parameters.threshold for one in outcome["best"])
        iou = outcome["iou"]
        metrics = builders.metrics(
            "",
            objects=(len(OBJECTS), "Objects in the scene", "objects"),
            clusters=(parameters.clusters, "Clusters of colours"),
            threshold=(parameters.threshold, "IoU from which an object is found"),
            regions=(outcome["regions"], "Connected regions of a class"),
            found=(found, "Objects found by connected regions", "objects"),
            front_iou=(outcome["best"][1], "IoU of the region of both disks with the front one"),
            back_iou=(outcome["best"][0], "IoU of the region of both disks with the back one"),
            mean_iou=(sum(iou.values()) / len(iou), "Mean IoU of clusters over the classes"),
        ) | {
            f"{name}/iou": builders.metric(value, f"IoU of clusters with the class {name}")
            for name, value in iou.items()
        }
        pictures = outcome["pictures"]
        return Summary(
            metrics=metrics,
            figures={
                "tasks": Pictures(
                    caption="Three kinds of segmentation of a drawn scene with two disks and two squares. "
                    f"Plain: {counted(parameters.clusters, 'clusters')} of colour, found by k-means, without "
                    "classes. Semantic: the class of every pixel. Instance: the object of every pixel. "
                    "Colours serve only to distinguish regions.",
                    alt="Plain: both disks and one square share a shade. Semantic: the disks share one, the "
                    "squares another. Instance: each object has its own.",
                    columns=len(pictures),
                    pictures=tuple(Picture(title=title, png=picture) for title, picture in pictures.items()),
                )
            },
            findings={
                "colour_is_no_class": builders.statement(
                    "Clusters of colour overlap squares less than they overlap disks",
                    iou["square"] < iou["disk"],
                    "square/iou",
                    "disk/iou",
                ),
                "regions_are_no_objects": builders.statement(
                    "There are fewer connected regions of a class than objects",
                    outcome["regions"] < len(OBJECTS),
                    "regions",
                    "objects",
                ),
            },
        )


def _numbers() -> range:
    return range(1, len(OBJECTS) + 1)


def scene(
    parameters: SegmentationParameters,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """(H, W, 3) the image; (H, W) the class of every pixel, and its object: 0 is the background."""
    import numpy as np

    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.empty((HEIGHT, WIDTH, 3))
    image[:] = GROUND
    classes, objects = (np.zeros((HEIGHT, WIDTH), np.int64) for _ in range(2))
    for number, (kind, row, column, half, colour) in zip(_numbers(), OBJECTS, strict=True):
        down, across = rows - row, columns - column
        round_ = down**2 + across**2 <= half**2
        inside = round_ if kind == "disk" else np.maximum(abs(down), abs(across)) <= half
        light = 1 - 0.15 * (down + across) / (2 * half)
        image[inside] = (light[..., None] * np.array(colour))[inside]
        classes[inside], objects[inside] = CLASSES.index(kind), number
    image += np.random.default_rng(parameters.seed).normal(0, parameters.noise, image.shape)
    return image.clip(0, 255).round().astype(np.uint8), classes, objects


def clustered(image: NDArray[np.uint8], count: int, rounds: int) -> NDArray[np.int64]:
    """(H, W): the cluster of every pixel's colour by k-means, which begins with colours far apart."""
    import numpy as np

    colours = image.reshape(-1, 3).astype(float)
    centres = colours.mean(0)[None]
    for _ in range(count):
        far = ((colours[:, None] - centres[None]) ** 2).sum(-1).min(1).argmax()
        centres = np.concatenate([centres, colours[far][None]])
    centres = centres[1:]
    for _ in range(rounds):
        nearest = ((colours[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        centres = np.stack(
            [
                colours[nearest == one].mean(0) if (nearest == one).any() else centres[one]
                for one in range(count)
            ]
        )
    order = np.argsort(-np.bincount(nearest, minlength=count))  # the largest first, as the background is
    return np.argsort(order)[nearest].reshape(image.shape[:2])


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Pixels that both have, divided by those that one has."""
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 0.0


def _painted(values: NDArray[np.int64]) -> Any:
    import numpy as np

    return np.array(FLAT, np.uint8)[values].transpose(2, 0, 1)


analysis = Segmentation()
