"""transfer.face_pictures: what the classifiers of faces have learned, as pictures that may be shown.

After CSC321/411 (University of Toronto, 2017): hidden units of perceptrons on pixels, and guided
backpropagation (Springenberg et al. 2015) of one person. The weights are ours; as faces of the data set may
not be passed on, the person is a portrait that may. The networks are those of transfer.facescrub, of which
this trains one seed each: perceptrons and the linear layer in a minute or two, the fine-tuned network in
about twenty on one core. The portrait comes with scikit-image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses import experiments, records
from analyses.pictures import CREDITS, heat, png
from analyses.plugin import Analysis, Cell, Choice, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _facescrub_training as training
from analyses.transfer import facescrub
from analyses.transfer._facescrub_settings import FaceParameters
from analyses.transfer._facescrub_tables import unit_pictures
from analyses.transfer._facescrub_training import FixedFeatures
from analyses.transfer._facescrub_worked import person
from results import builders
from results.schema import Figure, Finding, Picture, Pictures
from results.text import counted, listing

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lab.weights import Network

EXPLAINED = 2  # people, the most probable of a face
ALIKE = 0.9  # a rank correlation from which on two maps are nearly the same


class Portrait(Choice):
    """image: as lab.interpretation.photograph has it; top, left, side: the square of it with the face."""

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
        """The first seed of every perceptron, of the linear layer and of the fine-tuned network."""
        cells = {cell.id: cell for cell in facescrub.analysis.plan(parameters.faces)}
        face = {"portrait": parameters.portrait.model_dump(), "explained": EXPLAINED}
        return [
            Cell("portrait", cells["conv4"].settings | {"seeds": [0]} | face),
            Cell("finetuned", cells["finetuned/0"].settings | face, 0),
            *(
                Cell(f"units/{name}", cells[f"{name}/0"].settings, 0)
                for name in parameters.faces.perceptrons()
            ),
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        if "portrait" in cell.settings:
            face = _portrait(cell.settings["portrait"])
            if cell.settings["kind"] == "finetune":
                return _explained_by_finetuned(cell, context, face)
            return _explained_by_linear_layer(cell, context, lambda fixed: face)
        trained = training.train_perceptron(cell, context)
        return {key: trained[key] for key in ("diverged", "units", "validation_accuracy")}

    def summarize(self, parameters: PictureParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        units = {name: outcomes[f"units/{name}"]["units"] for name in parameters.faces.perceptrons()}
        linear, tuned = outcomes["portrait"], outcomes["finetuned"]
        metrics = {}
        for key, of, explained in (
            ("portrait", "the linear layer", linear),
            ("finetuned", "the fine-tuned network", tuned),
        ):
            first = explained["explained"][0]
            metrics[f"{key}/probability"] = builders.metric(
                first["probability"],
                f"Probability of {person(first['class'])} for the portrait, by {of}",
                builders.FRACTION,
            )
            metrics[f"{key}/likeness"] = builders.metric(
                explained["likeness"],
                f"Rank correlation of the maps for the two most probable people, by {of}",
            )
        credit = CREDITS.get(parameters.portrait.image, parameters.portrait.image)
        return Summary(
            metrics=metrics,
            figures={
                "units": unit_pictures(parameters.faces, units),
                "portrait": _face_pictures(
                    f"Guided backpropagation for a portrait ({credit})",
                    {
                        "Fine-tuned": (f"of the fine-tuned {_network(tuned)}", tuned),
                        "Linear layer": (f"of a linear layer on features of {_network(linear)}", linear),
                    },
                ),
            },
            findings={
                "portrait_named": _naming("portrait", "the linear layer", linear),
                "finetuned_named": _naming("finetuned", "the fine-tuned network", tuned),
                "same_name": builders.statement(
                    "Both classifiers take the portrait for the same person",
                    linear["explained"][0]["class"] == tuned["explained"][0]["class"],
                    "finetuned/probability",
                    "portrait/probability",
                ),
                "classes_look_alike": builders.statement(
                    "For both classifiers, the maps of the two most probable people have a rank correlation "
                    f"of {ALIKE:g} or more",
                    min(linear["likeness"], tuned["likeness"]) >= ALIKE,
                    "portrait/likeness",
                    "finetuned/likeness",
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

        found = _explained_by_linear_layer(cells["portrait"], Context(), first)
        what = "The first test photograph, and guided backpropagation of it"
        whose = f"of a linear layer on features of {_network(found)}"
        pictures = _face_pictures(what, {"Linear layer": (whose, found)})
        return {"guided": pictures.model_copy(update={"columns": 7})}


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


def _portrait(chosen: Mapping[str, Any]) -> Tensor:
    """The square with the face, uint8 (1, 3, H, W)."""
    from lab.interpretation import photograph

    top, left, side = (chosen[key] for key in ("top", "left", "side"))
    return photograph(chosen["image"])[..., top : top + side, left : left + side].contiguous()


def _explained_by_linear_layer(
    cell: Cell, context: Context, face_of: Callable[[FixedFeatures], Tensor]
) -> Outcome:
    """What the linear layer says of a face, uint8 (1, 3, H, W), and guided backpropagation of that."""
    fixed = training.fixed_features(cell.settings, context)
    heads = training.linear_layers(cell.settings, fixed, context)
    reached = [curve.accuracy["validation"][-1] for curve in heads.learning_curves[0]]
    rate = reached.index(max(reached))
    model = _classifier(fixed, heads.weight[0, rate].cpu(), heads.bias[0, rate].cpu())
    explained = _explained(model, fixed.network, face_of(fixed), fixed.faces.train.classes, cell)
    return explained | {"diverged": heads.learning_curves[0][rate].diverged}


def _explained_by_finetuned(cell: Cell, context: Context, face: Tensor) -> Outcome:
    """The same of the network of which all layers were trained."""
    tuned = training.fine_tuned(cell, context)
    kept = {key: tuned.outcome[key] for key in ("diverged", "validation_accuracy")}
    model = tuned.model.cpu().float().eval()
    return _explained(model, tuned.network, face, tuned.faces.train.classes, cell) | kept


def _explained(
    model: nn.Module, network: Network, face: Tensor, people: Sequence[str], cell: Cell
) -> Outcome:
    """Whom a model takes a face for, and guided backpropagation of the most probable people."""
    import torch

    from lab.interpretation import attribute, likeness

    seen = network.prepared(face)
    with torch.no_grad():
        shares = model(seen).softmax(1)[0]
    best = shares.topk(cell.settings["explained"]).indices
    maps = attribute(model, seen.expand(len(best), -1, -1, -1), best, "guided")
    return {
        "architecture": network.architecture,
        "portrait": png(face[0].round().clamp(0, 255).to(torch.uint8)),
        "explained": [
            {
                "class": people[int(kind)],
                "probability": float(shares[kind]),
                "guided": heat(found.abs().sum(0)),
            }
            for kind, found in zip(best, maps, strict=True)
        ],
        "likeness": likeness(maps[0], maps[1]),
    }


def _network(explained: Outcome) -> str:
    return experiments.network_name(explained["architecture"])


def _naming(key: str, whose: str, explained: Outcome) -> Finding:
    named = person(explained["explained"][0]["class"])
    sentence = f"{whose.capitalize()} names {named}, with a probability of {{{key}/probability:percent}}."
    return builders.statement(
        f"Whom {whose} takes the portrait for", True, f"{key}/probability", yes=sentence
    )


def _face_pictures(what: str, explained: Mapping[str, tuple[str, Outcome]]) -> Pictures:
    """A face, and the maps of each classifier, by its name: whose outputs they are, and the maps."""
    (_, first), *_ = explained.values()
    maps = [(name, one) for name, (_, found) in explained.items() for one in found["explained"]]
    most = counted(EXPLAINED, "people")
    return Pictures(
        caption=f"{what}: absolute gradients, summed over the colours, of the outputs "
        f"{', then '.join(whose for whose, _ in explained.values())}, for the {most} that each finds most "
        "probable. Black is zero, white is large.",
        alt="A portrait, and maps of what speaks for "
        + listing([person(one["class"]) for _, one in maps])
        + " in it.",
        columns=max(6, 1 + len(maps)),
        pictures=(
            Picture(png=first["portrait"], title="Portrait"),
            *(
                Picture(png=one["guided"], title=f"{name}:\n{person(one['class'])}, {one['probability']:.1%}")
                for name, one in maps
            ),
        ),
    )


analysis = FacePictures()
