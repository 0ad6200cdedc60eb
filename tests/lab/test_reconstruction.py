"""Noise, losses and measures of reconstruction, beside likelihoods and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import Bernoulli, Laplace, Normal

from lab.datasets import load
from lab.networks.autoencoder import Autoencoder
from lab.reconstruction import (
    Components,
    Reconstruction,
    absolute_error,
    best_of,
    loss_of,
    noisy,
    psnr,
    smoothed,
)

metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return torch.from_numpy(load("digits", "test").images) / 255


def test_each_loss_is_the_likelihood_of_a_noise(digits):
    logits = torch.randn(digits.shape, generator=torch.Generator().manual_seed(0))
    said = logits.sigmoid()
    surprise = {
        "squared": -Normal(said, 1.0).log_prob(digits).mean() - 0.5 * np.log(2 * np.pi),
        "absolute": -Laplace(said, 1.0).log_prob(digits).mean() - np.log(2),
        "cross-entropy": -Bernoulli(logits=logits, validate_args=False).log_prob(digits).mean(),
    }
    scale = {"squared": 0.5, "absolute": 1.0, "cross-entropy": 1.0}
    for loss, expected in surprise.items():
        assert scale[loss] * loss_of(logits, digits, loss).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(("loss", "best"), [("squared", 0.3), ("cross-entropy", 0.3), ("absolute", 0.0)])
def test_squares_and_cross_entropy_ask_for_the_mean_and_absolutes_for_the_median(loss, best):
    values = torch.tensor([0.0, 0.0, 0.0, 0.5, 1.0])
    tried = torch.linspace(0.01, 0.99, 99)
    losses = [loss_of(one.logit().expand(5), values, loss).item() for one in tried]
    assert tried[int(np.argmin(losses))].item() == pytest.approx(best, abs=0.011)


def test_measures_are_those_of_scikit_image(digits):
    seen = noisy(digits, 0.3, torch.Generator().manual_seed(1))
    expected = metrics.peak_signal_noise_ratio(digits.numpy(), seen.numpy(), data_range=1)
    assert psnr(seen, digits) == pytest.approx(expected)
    assert absolute_error(seen, digits) == pytest.approx((seen - digits).abs().mean().item())
    assert psnr(digits, digits) == float("inf")


def test_components_are_those_of_scikit_learn(digits):
    pixels = digits.flatten(1).numpy()
    fitted = PCA(n_components=12).fit(pixels)
    expected = fitted.inverse_transform(fitted.transform(pixels)).clip(0, 1)
    found = Components.of(digits).projected(digits, 12).flatten(1).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_noise_stays_in_the_range_and_has_its_size():
    grey = torch.full((100, 1, 8, 8), 0.5)
    seen = noisy(grey, 0.1, torch.Generator().manual_seed(0))
    assert (seen - grey).std().item() == pytest.approx(0.1, rel=0.05)
    strong = noisy(grey, 1.0, torch.Generator().manual_seed(0))
    assert strong.min() == 0 and strong.max() == 1
    assert torch.equal(noisy(grey, 0.0), grey)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            noisy(grey, wrong)


def test_a_filter_keeps_what_is_even_and_the_best_is_chosen(digits):
    even = torch.full((2, 1, 8, 8), 0.25)
    assert torch.allclose(smoothed(even, 1.0), even)
    assert best_of([digits * 0, digits + 0.01, digits + 0.5], digits) == 1


def test_the_penalty_adds_the_mean_of_the_code(digits):
    torch.manual_seed(0)
    model = Autoencoder((1, 8, 8), 20)
    labels = torch.zeros(len(digits))
    plain, told = Reconstruction()(model, digits, labels)
    sparse, also = Reconstruction(sparsity=0.5)(model, digits, labels)
    code = model.encode(digits)
    assert (sparse - plain).item() == pytest.approx(0.5 * code.mean().item())
    assert told["loss"] == also["loss"] == plain
    assert told["active"].item() == pytest.approx((code > 0).float().mean().item())


def test_the_image_without_noise_is_what_is_asked_for(digits):
    torch.manual_seed(0)
    model = Autoencoder((1, 8, 8), 20)
    torch.manual_seed(1)
    loss, _ = Reconstruction("absolute", noise=0.4)(model, digits, torch.zeros(len(digits)))
    torch.manual_seed(1)
    expected = loss_of(model(noisy(digits, 0.4)), digits, "absolute")
    assert torch.equal(loss, expected)


def test_features_of_the_code_have_length_one(digits):
    model = Autoencoder((1, 8, 8), 20)
    assert torch.allclose(model.features().flatten(1).norm(dim=1), torch.ones(20))
    code = model.encode(digits)
    assert code.min() >= 0
    added = torch.einsum("nu,uchw->nchw", code, model.features()) + model.decoder.bias.view(1, 1, 8, 8)
    assert torch.allclose(model(digits), added, atol=1e-5)
