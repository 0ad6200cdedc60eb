"""verification.glasses: the same people with glasses and without.

A network that has never seen a person put glasses on may take the glasses for the person. The published
network and one trained on mined pairs (after Guo et al. 2018) are compared at their fixed thresholds by kind
of pair: neither wears glasses, both do, one does. The new network is trained on faces on which glasses were
drawn, as the paper renders them, and once without them.
"""

from __future__ import annotations

from dataclasses import replace

from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from analyses.verification._glasses_meglass import evaluate_protocols, load_meglass, protocols
from analyses.verification._glasses_pairs import check_glasses
from analyses.verification._glasses_settings import BASELINES, SPLITS, GlassesParameters
from analyses.verification._glasses_summary import summary
from analyses.verification._verification import QUICK, Faces
from analyses.verification._verification_methods import run_method
from analyses.verification._verification_people import check_people, glasses_of


class Glasses(Analysis[GlassesParameters]):
    id = "verification.glasses"
    title = "With glasses and without"
    question = "Is a person still the same with glasses on?"
    version = "2"  # whole images, and thresholds from people whom the networks have not seen
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> GlassesParameters:
        if profile == "quick":
            return GlassesParameters(**QUICK)
        return GlassesParameters()

    def datasets(self, parameters: GlassesParameters) -> tuple[str, ...]:
        return (parameters.faces.name, *(["meglass"] if parameters.meglass else []))

    def check(self, parameters: GlassesParameters) -> None:
        check_people(parameters, [getattr(parameters, split) for split in SPLITS])
        for split in SPLITS:
            check_glasses(parameters.faces, getattr(parameters, split), needed=split == "heldout")
        if parameters.meglass:
            list(protocols(load_meglass(parameters.faces)[0]))

    def plan(self, parameters: GlassesParameters) -> list[Cell]:
        cells = []
        for split in SPLITS:
            test = getattr(parameters, split)
            for method in ("mining", "contrastive", "tutorial_mining", "new_contrastive"):
                cells += parameters.cells(split, test, method)
            cells += parameters.cells(split, test, "mining", glasses=0)
        for method in BASELINES:
            cells += parameters.cells("heldout", parameters.heldout, method)
        if not parameters.meglass:
            return cells
        return [
            replace(cell, settings=cell.settings | {"meglass": True})
            if cell.id.startswith("heldout/") and "inner" not in cell.settings
            else cell
            for cell in cells
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        faces: Faces = cell.settings["faces"]
        worn = glasses_of(faces)
        if cell.settings.get("meglass"):
            listed, pixels = load_meglass(faces)
            outcome, between = run_method(cell, context, pixels)
            outcome["meglass"] = evaluate_protocols(listed, between)
        else:
            outcome, _ = run_method(cell, context)
        if "inner" in cell.settings:
            return outcome
        return outcome | {"glasses": [worn[file] for file in outcome["files"]]}

    summarize = staticmethod(summary)


analysis = Glasses()
