"""The choices of the study of autoencoders, and its kinds in words."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from analyses.plugin import Parameters
from lab.recipes import Recipe

DIGITS = "digits"
DENOISING = {"squared": "squared error", "cross_entropy": "cross-entropy", "absolute": "absolute error"}
KINDS = {
    **{kind: f"Denoising, {words}" for kind, words in DENOISING.items()},
    "plain": "Plain",
    "sparse": "Sparse",
}
SIMPLE = {"noisy": "Noisy input", "gaussian": "Gaussian filter", "components": "Principal components"}
BASELINES = "baselines"


class AutoencoderParameters(Parameters):
    """noise: standard deviation of what is added to pixels in [0, 1]. sparsity: weight of the mean of the
    code in the loss of the sparse one. learning_rate: of 0.003 and 0.01 the one with the lower training loss.
    noise_seed: of the noise on the test digits, which is the same for all.
    """

    units: int = Field(128, ge=1, le=4_096)
    noise: float = Field(0.3, gt=0, le=1)
    sparsity: float = Field(0.05, ge=0)
    epochs: int = Field(80, ge=1)
    batch: int = Field(128, ge=1)
    learning_rate: float = Field(0.01, gt=0)
    noise_seed: int = Field(0, ge=0)
    seeds: int = Field(5, ge=2)

    def recipe(self) -> Recipe:
        return Recipe(
            epochs=self.epochs,
            batch=self.batch,
            optimizer="adam",
            learning_rate=self.learning_rate,
            schedule="cosine",
            precision="float32",
        )

    def objectives(self) -> dict[str, dict[str, Any]]:
        """By kind, the settings of `lab.reconstruction.Reconstruction`."""
        denoising = {
            kind: {"loss": kind.replace("_", "-"), "noise": self.noise, "sparsity": 0.0} for kind in DENOISING
        }
        plain = {"loss": "squared", "noise": 0.0, "sparsity": 0.0}
        return {**denoising, "plain": plain, "sparse": {**plain, "sparsity": self.sparsity}}
