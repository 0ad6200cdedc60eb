"""A small study to write: the layer table of VGG-19, a chart, a heatmap, and sections on them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from report import study as studies
from report.document import Document, Study
from report.prose import ProseError, compose
from results import builders
from results.schema import (
    Axis,
    Box,
    Chart,
    Column,
    Dataset,
    Estimate,
    Finding,
    Heatmap,
    Metric,
    Picture,
    Pictures,
    Provenance,
    Result,
    Row,
    Scores,
    Series,
    Suppression,
    Table,
)
from results.store import Store

TEMPLATES = Path(__file__).parents[2] / "templates"


def refusal(compose_it: Callable[[], object]) -> str:
    """The one line with which a text is refused."""
    with pytest.raises(ProseError) as refused:
        compose_it()
    assert "\n" not in str(refused.value)
    return str(refused.value)


# Simonyan and Zisserman 2015, configuration E: widths of the convolutions between the poolings.
STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)


def vgg19_rows() -> tuple[Row, ...]:
    """Layers, sizes, activations and weights without biases."""
    rows = [_row("INPUT", "—", 224, 3)]
    size, channels = 224, 3
    for widths in STAGES:
        for width in widths:
            rows.append(_row(f"CONV3-{width}", "3×3", size, width, f"(3·3·{channels})·{width}"))
            channels = width
        size //= 2
        rows.append(_row("POOL2", "2×2", size, channels))
    inputs = size * size * channels
    for width in (4096, 4096, 1000):
        rows.append(_row(f"FC-{width}", "—", 1, width, f"{inputs}·{width}"))
        inputs = width
    activations = sum(int(str(row.cells["activations"])) for row in rows)
    weights = sum(int(str(row.cells["weights"])) for row in rows)
    total = Row(cells={"layer": "TOTAL", "activations": activations, "weights": weights}, kind="total")
    return (*rows, total)


def _row(layer: str, kernel: str, size: int, channels: int, weights: str = "0") -> Row:
    activations = f"{size}·{size}·{channels}"
    return Row(
        cells={
            "layer": layer,
            "filter": kernel,
            "output": f"{size}×{size}×{channels}",
            "activations": size * size * channels,
            "weights": eval(weights.replace("·", "*")),
        },
        arithmetic={"activations": activations, **({"weights": weights} if weights != "0" else {})},
    )


def _picture() -> str:
    """48 by 48 pixels, from dark to bright, as a PNG file in base64."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((48, 48)).convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


PNG = _picture()


def vgg19() -> Result:
    columns = (
        Column(key="layer", label="Layer", type="code"),
        Column(key="filter", label="Filter", type="shape"),
        Column(key="output", label="Output", type="shape"),
        Column(key="activations", label="Activations", type="integer"),
        Column(key="weights", label="Weights", type="integer"),
    )
    rows = vgg19_rows()
    layers = [row for row in rows if row.kind == "body"]
    names = tuple(f"{n} {row.cells['layer']}" for n, row in enumerate(layers))
    counts = {key: tuple(float(str(row.cells[key])) for row in layers) for key in ("activations", "weights")}
    positions = tuple(float(n) for n in range(len(layers)))
    partial = Row(cells={"layer": "norm & pool_1 <50%>", "weights": 12}, partial=("attention",))
    return Result(
        analysis="architecture.vgg19",
        title="VGG-19",
        question="Where are the activations and the parameters of VGG-19?",
        profile="full",
        metrics={
            "total_weights": Metric(value=143_652_544, title="weights", unit="parameters"),
            "total_parameters": Metric(value=143_667_240, title="parameters", unit="parameters"),
            "total_macs": Metric(value=19_632_062_464, title="multiply–accumulates", unit="MACs"),
            "known_operations": Metric(value=1200, title="operations", partial=("attention", "pooling")),
            "accuracy": Metric(value=0.7124, title="accuracy", unit="fraction", low=0.7081, high=0.7169, n=5),
        },
        tables={
            "layers": Table(
                caption="VGG-19, layer by layer, without biases.",
                columns=columns,
                rows=rows,
                notes=("Pooling has no weights.",),
            ),
            "awkward": Table(
                caption=r"& % $ # _ { } ~ ^ \ < > and é ł α Ω Жук → × · − “q” in a caption",
                columns=(*columns[:1], Column(key="weights", label="Weights & 100%", type="integer")),
                rows=(partial, Row(cells={"layer": "α_β → {x}", "weights": -3})),
            ),
        },
        figures={
            "memory": Chart(
                kind="bar",
                caption="Activations and weights of VGG-19 by layer.",
                alt="Activations fall from 3.2 million to a thousand; one dense layer holds most weights.",
                x=Axis(label="Layer", categories=names),
                y=Axis(label="Count", scale="log"),
                series=tuple(
                    Series(label=key.capitalize(), x=positions, y=tuple(max(1.0, v) for v in values))
                    for key, values in counts.items()
                ),
            ),
            "curves": Chart(
                kind="line",
                caption="Loss over epochs; bands are 95% intervals.",
                alt="Training loss falls from 2.3 to 0.4; test loss from 2.3 to 0.9.",
                x=Axis(label="Epoch"),
                y=Axis(label="Loss", unit="nats"),
                series=tuple(
                    Series(
                        label=label,
                        x=tuple(map(float, range(1, 11))),
                        y=tuple(rest + (2.3 - rest) / n for n in range(1, 11)),
                        low=tuple(0.95 * (rest + (2.3 - rest) / n) for n in range(1, 11)),
                        high=tuple(1.05 * (rest + (2.3 - rest) / n) for n in range(1, 11)),
                    )
                    for label, rest in (("training", 0.4), ("validation", 0.8), ("test", 0.9))
                ),
            ),
            "confusion": Heatmap(
                caption="Confusion of three classes.",
                alt="Most images are on the diagonal; cats are taken for dogs most often.",
                x=Axis(label="Predicted", categories=("cat", "dog", "aeroplane")),
                y=Axis(label="True", categories=("cat", "dog", "aeroplane")),
                values=((0.7, 0.25, 0.05), (0.2, 0.75, 0.05), (0.01, 0.02, 0.97)),
                value_label="Share of images",
                numbers=True,
            ),
            "boxes": Pictures(
                caption="Candidates on a picture, of which two remain.",
                alt="A grey square with four boxes, three of them nearly at the same place.",
                columns=2,
                pictures=(
                    Picture(
                        title="After",
                        png=PNG,
                        boxes=(
                            Box(row=16, column=16, width=16, style="kept", score=0.9),
                            Box(row=16, column=17, width=16, style="suppressed", score=0.8),
                            Box(row=16, column=20, width=16, style="suppressed", score=0.7),
                            Box(row=40, column=36, width=12, style="kept", score=0.6, label="cat"),
                        ),
                    ),
                    Picture(title="Plain", png=PNG),
                ),
                legend=(("kept", "Remains"), ("suppressed", "Goes")),
                suppression=Suppression(picture=0, threshold=0.5),
            ),
            "roc": Chart(
                kind="scatter",
                caption="Pairs called the same, by how many of them are.",
                alt="The true positive rate rises from 0 to 1 before the false positive rate does.",
                x=Axis(label="False positive rate"),
                y=Axis(label="True positive rate"),
                series=(Series(label="network", x=(0.0, 0.0, 0.25, 0.5, 1.0), y=(0.0, 0.6, 0.8, 1.0, 1.0)),),
                scores=Scores(
                    label="Network", same=(6, 2, 2, 0), different=(0, 5, 5, 10), largest=2.0, threshold=1.0
                ),
            ),
        },
        findings={
            "dense_holds_most": Finding(
                statement="The first dense layer holds most weights.", holds=True, metrics=("total_weights",)
            )
        },
        provenance=Provenance(
            analysis_version="1",
            source_hash="0123456789abcdef" * 4,
            cache_key="fedcba9876543210" * 4,
            datasets=(
                Dataset(
                    name="CIFAR-10",
                    fingerprint="a" * 64,
                    licence="none stated",
                    notes=("2 files were left out",),
                ),
            ),
            libraries={"torch": "2.15.0", "torchvision": "0.29.0"},
            python="3.11.2",
            git_commit="89abcdef" * 5,
            created="2026-11-21T05:00:00Z",
            wall_seconds=0.02,
        ),
    )


def over_seeds(value: float, half: float, n: int = 3) -> Estimate:
    """An estimate as experiments have it; of one seed without an interval."""
    ends = {"low": value - half, "high": value + half} if n > 1 else {}
    return Estimate(value=value, n=n, over="seeds", **ends)


def trained() -> Result:
    """What the shared calls make of three networks: estimates, panels, intervals, a ROC and a sentence."""
    accuracy = {
        "Plain": over_seeds(0.712, 0.02),
        "Deep": over_seeds(0.8, 0.01),
        "Wide": over_seeds(0.79, 0, 1),
    }
    changes = {
        "without dropout": over_seeds(-0.04, 0.01),
        "a longer schedule": over_seeds(0.003, 0.02),
        "batch normalisation": over_seeds(0.05, 0.02),
    }
    metrics = {
        "deep/accuracy": builders.metric(accuracy["Deep"], "Accuracy of the deep network", "fraction"),
        "wide/accuracy": builders.metric(accuracy["Wide"], "Accuracy of the wide network", "fraction"),
        "gain": builders.metric(changes["batch normalisation"], "Gain by batch normalisation", "fraction"),
        "loss": builders.metric(changes["without dropout"], "Change without dropout", "fraction"),
    }
    gain = builders.shown("gain", "points", ci=True, unit=True)
    histories = [
        {
            f"{part}_{what}": [start + run / 50 + step * epoch for epoch in range(4)]
            for part, start in (("train", 0.3), ("validation", 0.2))
            for what, step in (("loss", -0.05), ("accuracy", 0.1))
        }
        for run in range(3)
    ]
    return Result(
        analysis="classification.trained",
        title="Three networks",
        question="Which network is best?",
        profile="full",
        metrics=metrics,
        tables={
            "results": builders.table(
                "Accuracy of three networks.",
                {
                    "network": builders.text("Network"),
                    "images": builders.integer("Images"),
                    "test": builders.percent("Test", best="highest"),
                },
                [{"network": name, "images": 100, "test": found} for name, found in accuracy.items()],
                ties={"test": {1, 2}},
            )
        },
        figures={
            "curves": builders.learning_curves("Curves.", histories),
            "changes": builders.intervals(
                "Changes.",
                changes,
                builders.points("Change"),
                groups={
                    "without dropout": "Regularisation",
                    "a longer schedule": "Optimisation",
                    "batch normalisation": "Architecture",
                },
            ),
            "roc": builders.roc(
                "ROC.",
                {
                    "Pixels": builders.Rates((0.0, 0.5, 1.0), (0.0, 0.6, 1.0)),
                    "Network": builders.Rates((0.0, 0.5, 1.0), (0.0, 0.9, 1.0)),
                },
            ),
        },
        findings={
            "normalisation": builders.comparison(
                "Batch normalisation helps",
                "gain",
                changes["batch normalisation"],
                more=f"It raises accuracy by {gain} *at once*.",
                less="It lowers accuracy.",
                same="It does not change accuracy significantly.",
                adjusted_p=0.012,
            ),
            "dropout": builders.statement("Dropout is needed", True, "loss"),
        },
        provenance=Provenance(
            analysis_version="1",
            source_hash="0" * 64,
            cache_key="1" * 64,
            parameters={
                "epochs": 4,
                "rates": [0.1, 0.01, 0.001],
                "faces": {"size": 64},
                "name": "x_y",
                "on": True,
            },
            python="3.11.2",
            git_commit="89abcdef" * 5,
        ),
    )


SECTIONS = {
    "abstract": "# Abstract\n\nWe count VGG-19 [@simonyan2015]. It has "
    '{{ value("architecture.vgg19/total_parameters") }} parameters.\n',
    "layers": """# Layers & memory

VGG-19 has {{ value("architecture.vgg19/total_weights") }} weights; see
{{ ref("architecture.vgg19/layers") }}, {{ ref("architecture.vgg19/memory") }}
and {{ ref("section:training") }}. @krizhevsky2012 reports {{ published("alexnet_parameters", scale=1e-6) }}
million for AlexNet.

{{ table("architecture.vgg19/layers") }}

## Where they are

{% if holds("architecture.vgg19/dense_holds_most") %}
The first dense layer holds most: $7 \\times 7 \\times {{ plain("architecture.vgg19/total_weights") }}$.
{% endif %}

{{ figure("architecture.vgg19/memory") }}

$$W_2 = \\frac{W_1 - F + 2P}{S} + 1$$
""",
    "trained": """# Trained networks
% do about("classification.trained")

% if verdict("normalisation") == "more"
{{ sentence("normalisation") }}
% endif

{{ table("results") }}

{{ figure("curves") }}

{{ figure("changes") }}

{{ figure("roc") }}
""",
    "training": """# Training

Accuracy is {{ value("architecture.vgg19/accuracy", format=".3f", interval="±") }},
or {{ value("architecture.vgg19/accuracy", format=".1f", scale=100) }}%.
At least: {{ value("architecture.vgg19/known_operations", partial=True) }} operations.[^note]

[^note]: A footnote, with `code_x` and a [link](https://example.org/a_b%20c#1).

{{ figure("architecture.vgg19/curves") }}

- an item
- another: “quoted”, α → β

{{ table("architecture.vgg19/awkward") }}

{{ figure("architecture.vgg19/confusion") }}

{{ figure("architecture.vgg19/boxes") }}

{{ figure("architecture.vgg19/roc") }}
""",
}


@dataclass(frozen=True)
class Workshop:
    """Templates and results that a test may change."""

    templates: Path
    store: Store

    def section(self, name: str, text: str) -> None:
        (self.templates / "sections" / f"{name}.md").write_text(text, "utf-8")

    def study(self, *sections: str, **keys: int) -> Study:
        names = ", ".join(f'"{name}"' for name in sections or ("layers", "training"))
        file = self.templates / "studies" / "small.toml"
        file.write_text(
            'title = "A small study of VGG-19 & others"\nauthors = ["Ada Łukasz", "Émile Жук"]\n'
            f'abstract = "abstract"\nsections = [{names}]\n'
            + "".join(f"{key} = {str(value).lower()}\n" for key, value in keys.items()),
            "utf-8",
        )
        return studies.load(file, self.templates)

    def document(self, *sections: str, **keys: int) -> Document:
        return compose(self.study(*sections, **keys), self.templates, self.store)


def open_workshop(folder: Path) -> Workshop:
    """A fresh copy of the templates with the small study's sections, and a store with one result."""
    templates = folder / "templates"
    for name in ("sections", "studies"):
        (templates / name).mkdir(parents=True)
    for name in ("latex", "html", "references.bib", "names.txt", "published.toml"):
        if (TEMPLATES / name).exists():
            (templates / name).symlink_to(TEMPLATES / name)
    store = Store(folder / "results")
    store.write(vgg19())
    store.write(trained())
    made = Workshop(templates, store)
    for name, text in SECTIONS.items():
        made.section(name, text)
    return made


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return open_workshop(tmp_path)
