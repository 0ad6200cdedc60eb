"""transfer.learning_rates: fine-tune or freeze, and at which learning rate?

After an exercise on the Visual Decathlon (Rebuffi et al. 2017): a pretrained network gets a new last layer;
all layers are trained at three rates, or the last one alone at four. By protocol ResNet-50; both have 60
epochs. The last layer is trained on kept features, all rates and seeds at once. Expected of fine-tuning: a
test accuracy of 0.85 to 0.88 on textures. Cells run in this order: all frozen backbones (seconds); the first
data set before the others; of each, every rate with the first seed before any with the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analyses import domains, experiments
from analyses.domains import Domain
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from analyses.transfer._learning_rates_settings import LearningRateParameters
from analyses.transfer._learning_rates_summary import summary
from analyses.transfer._learning_rates_training import finetune, train_heads
from results.schema import Figure, Pictures


class LearningRates(Analysis[LearningRateParameters]):
    id = "transfer.learning_rates"
    title = "Fine-tune or freeze, and at which learning rate"
    question = "When is it better to train all layers of a pretrained network, and how fast?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LearningRateParameters:
        if profile == "quick":
            return LearningRateParameters(
                domains={"digits": Domain(name="digits", split="train", images=300, mirror=False, size=32)},
                finetune_epochs=4,
                head_epochs=4,
                seeds=2,
            )
        return LearningRateParameters()

    def datasets(self, parameters: LearningRateParameters) -> tuple[str, ...]:
        return tuple(dict.fromkeys(domain.name for domain in parameters.used.values()))

    def plan(self, parameters: LearningRateParameters) -> list[Cell]:
        common = {
            name: {
                "domain": domain,
                "weights": parameters.weights,
                "architecture": parameters.architecture,
                "download": parameters.download,
            }
            for name, domain in parameters.used.items()
        }

        cells = []
        for name, settings in common.items():
            heads = {
                "rates": list(parameters.head_rates),
                "seeds": list(range(parameters.seeds)),
                "recipe": parameters.recipe("head", parameters.used[name]),
            }
            cells.append(Cell(f"{name}/heads", settings | heads))
        for name, settings in common.items():
            recipe = parameters.recipe("finetune", parameters.used[name])
            for seed in range(parameters.seeds):
                for rate in parameters.finetune_rates:
                    finetune = {"recipe": replace(recipe, learning_rate=rate)}
                    cells.append(Cell(f"{name}/finetune/{rate:g}/{seed}", settings | finetune, seed))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import weights

        settings = cell.settings
        domain: Domain = settings["domain"]
        parts, counted = domains.load_counted(domain)
        network = experiments.pretrained(settings, domain.size)
        described: Outcome = {"weights": weights.describe(network)}
        if "rates" not in settings:
            return described | finetune(cell, context, network, parts)
        labels = parts.train.labels.tolist()
        described |= counted | {
            "classes": list(parts.train.classes),
            "sizes": {name: len(part) for name, part in parts._asdict().items()},
            "counts": [labels.count(kind) for kind in range(len(parts.train.classes))],
            "black_bordered": domains.black_bordered(parts.train.images),
        }
        return described | train_heads(settings, context, network, parts, domain)

    summarize = staticmethod(summary)

    def media(
        self, parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]
    ) -> Mapping[str, Figure]:
        return {
            "samples" if number == 0 else f"{name}_samples": _samples(domain)
            for number, (name, domain) in enumerate(parameters.used.items())
        }


def _samples(domain: Domain) -> Pictures:
    """Two training images of each of the first two classes."""
    from analyses.pictures import samples
    from lab.datasets import short_title

    images = domains.load(domain).train
    classes = images.classes[:2]
    return Pictures(
        caption=f"Two training images of each of the first two classes of {short_title(domain.name)}, at the "
        "size at which the network is given them.",
        alt=f"Four images: two of {classes[0]}, two of {classes[1]}.",
        columns=4,
        pictures=tuple(samples(images, classes, 2)),
    )


analysis = LearningRates()
