"""How recipes are told: every choice of a training in words, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from lab.recipes import Recipe
from results import builders
from results.schema import Table


def recipe_table(
    recipes: Mapping[str, Recipe],
    additions: Mapping[str, Mapping[str, str]] | None = None,
    caption: str = "",
) -> Table:
    """Every choice of some recipes side by side, in words.

    additions: by name, what the experiment does in the place of a recipe's choice. Without a caption, the
    names say what the table holds.
    """
    words = {
        f"recipe{index}": dict(recipe_rows(recipe)) | dict((additions or {}).get(name, {}))
        for index, (name, recipe) in enumerate(recipes.items())
    }
    caption = caption or f"Hyper-parameters of training: {'; '.join(recipes)}."
    return choices_table(caption, dict(zip(words, recipes, strict=True)), words)


def choices_table(caption: str, labels: Mapping[str, str], words: Mapping[str, Mapping[str, str]]) -> Table:
    """A column for each of some sets of choices, by key; words: of each, choice → what was chosen."""
    choices = dict.fromkeys(choice for column in words.values() for choice in column)
    return builders.table(
        caption,
        {"choice": builders.text("Choice"), **{key: builders.text(labels[key]) for key in words}},
        [
            {"choice": choice.capitalize(), **{key: column.get(choice, "–") for key, column in words.items()}}
            for choice in choices
        ],
    )


def recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    """Every choice of a recipe, in words: what is needed to repeat a run."""
    last = f"{recipe.final_factor:g} × the first" if recipe.final_factor else "0"
    *earlier, milestone = map(str, recipe.milestones or ("",))
    milestones = f"epochs {', '.join(earlier)} and {milestone}" if earlier else f"epoch {milestone}"
    schedule = {
        "constant": "constant",
        "multistep": f"multiplied by {recipe.gamma:g} after {milestones}"
        if recipe.milestones
        else "constant",
        "exponential": f"decaying exponentially to {recipe.learning_rate * recipe.final_factor:g}",
        "cosine": f"cosine to {last}",
        "onecycle": f"linear from 0 in the first {recipe.warm_up:.0%} of the steps, then linear to 0",
    }[recipe.schedule]
    augmentation = recipe.augmentation
    done = [
        f"mirrored ({augmentation.flip})" if augmentation.flip != "none" else "",
        f"moved by up to {augmentation.shift} pixels" if augmentation.shift else "",
        f"a square of {augmentation.cutout} pixels cut out" if augmentation.cutout else "",
    ]
    nesterov = " (Nesterov)" if recipe.nesterov else ""
    optimizer = {
        "sgd": f"SGD, momentum {recipe.momentum:g}{nesterov}",
        "adam": "Adam" + (" (coupled decay)" if recipe.weight_decay else ""),
        "adamw": "AdamW" + (" (decoupled decay)" if recipe.weight_decay else ""),
    }[recipe.optimizer]
    decayed = "all parameters" if recipe.decay_all else "weight matrices and filters"
    rows = [
        ("epochs", str(recipe.epochs)),
        ("batch", str(recipe.batch)),
        ("optimiser", optimizer),
        ("learning rate", f"{recipe.learning_rate:g}, {schedule}"),
        ("weight decay", f"{recipe.weight_decay:g} on {decayed}" if recipe.weight_decay else "none"),
        ("label smoothing", f"{recipe.label_smoothing:g}"),
        ("augmentation", ", ".join(filter(None, done)) or "none"),
    ]
    if recipe.clip:
        rows.append(("gradient", f"clipped to a norm of {recipe.clip:g}"))
    if recipe.precision != "auto":
        rows.append(("arithmetic", recipe.precision))
    if recipe.bias_factor != 1:
        rows.append(("biases of batch norm", f"{recipe.bias_factor:g} × the learning rate"))
    if recipe.patience:
        rows.append(("early stopping", f"after {recipe.patience} epochs without a lower validation loss"))
    return rows
