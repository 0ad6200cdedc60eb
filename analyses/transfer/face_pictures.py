"""transfer.face_pictures: what the classifiers of faces have learned, as pictures that may be shown.

After CSC321/411 (University of Toronto, 2017): hidden units of perceptrons on pixels, and guided
backpropagation (Springenberg et al. 2015) of one person. The weights are ours; as faces of the data set may
not be passed on, the person is a portrait that may. The networks are those of transfer.facescrub, of which
this trains one seed each and the linear layer, in a minute or two. The portrait comes with scikit-image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from analyses import records
from analyses.interpretation._interpretation import CREDITS, NAMES
from analyses.pictures import heat, png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _facescrub_training as training
from analyses.transfer import facescrub
from analyses.transfer._facescrub_settings import FaceParameters
from analyses.transfer._facescrub_tables import unit_pictures
from analyses.transfer._facescrub_training import FixedFeatures
from analyses.transfer._facescrub_worked import person
from results import builders
from results.schema import Figure, Picture, Pictures
from results.text import counted, listing

if TYPE_CHECKING:
    from torch import Tensor, nn

EXPLAINED = 2  # people, the most probable of a face
ALIKE = 0.9  # a rank correlation from which on two maps are nearly the same


class Portrait(BaseModel):
    """image: as lab.interpretation.photograph has it; top, left, side: the square of it with the face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = "astronaut"
    top: int = 15
    left: int = 130
    side: int = 190


class PictureParameters(Parameters):
    faces: FaceParameters = FaceParameters()
    portrait: Portrait = Portrait()


class FacePictures(Analysis[PictureParameters]):
    id = "transfer.face_pictures"
    title = "What the classifiers of faces have learned"
    question = "What do hidden units respond to, and what does a classifier see in one face?"
    libraries = ("torch", "torchvision", "timm", "captum")

    def parameters(self, profile: Profile) -> PictureParameters:
        faces = facescrub.analysis.parameters(profile)
        portrait = Portrait(image="flower") if profile == "quick" else Portrait()
        return PictureParameters(faces=faces, portrait=portrait)

    def datasets(self, parameters: PictureParameters) -> tuple[str, ...]:
        return (parameters.faces.name,)

    def plan(self, parameters: PictureParameters) -> list[Cell]:
        """The first seed of every perceptron, and the linear layer of the first seed."""
        cells = {cell.id: cell for cell in facescrub.analysis.plan(parameters.faces)}
        portrait = cells["conv4"].settings | {
            "seeds": [0],
            "portrait": parameters.portrait.model_dump(),
            "explained": EXPLAINED,
        }
        return [
            Cell("portrait", portrait),
            *(
                Cell(f"units/{name}", cells[f"{name}/0"].settings, 0)
                for name in parameters.faces.perceptrons()
            ),
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        if "portrait" in cell.settings:
            return _portrait(cell, context)
        trained = training.train_perceptron(cell, context)
        return {key: trained[key] for key in ("diverged", "units", "validation_accuracy")}

    def summarize(self, parameters: PictureParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        found = outcomes["portrait"]
        first = found["explained"][0]
        units = {name: outcomes[f"units/{name}"]["units"] for name in parameters.faces.perceptrons()}
        network = NAMES.get(found["architecture"]) or str(found["architecture"])
        probability = builders.metric(
            first["probability"],
            f"Probability of {person(first['class'])} for the portrait",
            builders.FRACTION,
        )
        likeness = builders.metric(
            found["likeness"], "Rank correlation of the maps for the two most probable people"
        )
        return Summary(
            metrics={"portrait/probability": probability, "portrait/likeness": likeness},
            figures={
                "units": unit_pictures(parameters.faces, units),
                "portrait": _portrait_pictures(
                    "Guided backpropagation for a portrait "
                    f"({CREDITS.get(parameters.portrait.image, parameters.portrait.image)})",
                    found,
                    network,
                ),
            },
            findings={
                "portrait_named": builders.statement(
                    "Whom the linear layer takes the portrait for",
                    True,
                    "portrait/probability",
                    yes="The classifier can choose only among the people of its training set, and names "
                    f"{person(first['class'])} with a probability of {{portrait/probability:percent}}.",
                ),
                "classes_look_alike": builders.statement(
                    f"The maps for the two most probable people have a rank correlation of {ALIKE:g} or more",
                    found["likeness"] >= ALIKE,
                    "portrait/likeness",
                ),
                "no_run_diverged": records.none_diverged(outcomes),
            },
        )

    def media(self, parameters: PictureParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        """Trains the linear layer again, which takes about a minute."""
        import torch

        cells = {cell.id: cell for cell in self.plan(parameters)}

        def first(fixed: FixedFeatures) -> Tensor:
            return torch.from_numpy(fixed.faces.test.images[:1].copy())

        found = _explained(cells["portrait"], Context(), first)
        network = NAMES.get(found["architecture"]) or str(found["architecture"])
        what = "The first test photograph, and guided backpropagation of it"
        return {"guided": _portrait_pictures(what, found, network).model_copy(update={"columns": 7})}


def _classifier(fixed: FixedFeatures, weight: Tensor, bias: Tensor) -> nn.Module:
    """The network as far as the layer, and a linear layer on what that gives, standardised."""
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.layer = fixed.network.model.cpu().eval(), fixed.layer
            self.weight, self.bias = weight / fixed.spread, bias - (weight / fixed.spread) @ fixed.centre

        def forward(self, images: Tensor) -> Tensor:
            kept: list[Tensor] = []
            layer = self.model.get_submodule(self.layer)
            handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
            try:
                self.model(images)
            finally:
                handle.remove()
            return kept.pop().flatten(1) @ self.weight.T + self.bias

    return Classifier()


def _portrait(cell: Cell, context: Context) -> Outcome:
    """Whom the linear layer takes the portrait for, and guided backpropagation of that."""
    from lab.interpretation import photograph

    chosen: dict[str, Any] = cell.settings["portrait"]
    top, left, side = (chosen[key] for key in ("top", "left", "side"))
    face = photograph(chosen["image"])[..., top : top + side, left : left + side].contiguous()
    return _explained(cell, context, lambda fixed: face)


def _explained(cell: Cell, context: Context, face_of: Callable[[FixedFeatures], Tensor]) -> Outcome:
    """What the linear layer says of a face, uint8 (1, 3, H, W), and guided backpropagation of that."""
    import torch

    from lab.interpretation import attribute, likeness

    fixed = training.fixed_features(cell.settings, context)
    heads = training.linear_layers(cell.settings, fixed, context)
    reached = [course.accuracy["validation"][-1] for course in heads.courses[0]]
    rate = reached.index(max(reached))
    model = _classifier(fixed, heads.weight[0, rate].cpu(), heads.bias[0, rate].cpu())
    face = face_of(fixed)
    seen = fixed.network.prepared(face)
    with torch.no_grad():
        shares = model(seen).softmax(1)[0]
    best = shares.topk(cell.settings["explained"]).indices
    maps = attribute(model, seen.expand(len(best), -1, -1, -1), best, "guided")
    return {
        "diverged": False,
        "architecture": fixed.network.architecture,
        "portrait": png(face[0].round().clamp(0, 255).to(torch.uint8)),
        "explained": [
            {
                "class": fixed.faces.train.classes[int(kind)],
                "probability": float(shares[kind]),
                "guided": heat(found.abs().sum(0)),
            }
            for kind, found in zip(best, maps, strict=True)
        ],
        "likeness": likeness(maps[0], maps[1]),
    }


def _portrait_pictures(what: str, found: Outcome, network: str) -> Pictures:
    explained = found["explained"]
    return Pictures(
        caption=f"{what}, for the {counted(len(explained), 'people')} that a linear layer on features of "
        f"{network} finds most probable: the gradient of their outputs with respect to the pixels (absolute "
        "values, summed over the colours). Black is zero, white is large.",
        alt="A portrait, and maps of what speaks for "
        + listing([person(one["class"]) for one in explained])
        + " in it.",
        columns=5,
        pictures=(
            Picture(png=found["portrait"], title="Portrait"),
            *(
                Picture(png=one["guided"], title=f"{person(one['class'])}, {one['probability']:.1%}")
                for one in explained
            ),
        ),
    )


analysis = FacePictures()
