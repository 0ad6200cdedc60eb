"""Orders of pairs and batches, and losses against slow plain versions and pytorch-metric-learning."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from pytorch_metric_learning import miners
from torch import nn
from torch.nn import functional as F

from lab.networks.siamese import DistanceNetwork, LinearEmbedding, SiameseTower
from lab.pair_training import Balanced, Contrastive, MiningContrastive, NormalisedDistance, RandomPairs
from lab.recipes import Recipe
from lab.training import Data, Images, fit

PEOPLE = torch.tensor([0] * 5 + [1] * 3 + [2] * 4 + [3])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Points(nn.Module):
    """Gives the inputs back as what they are embedded as."""

    def __init__(self, people: int = 4, width: int = 6) -> None:
        super().__init__()
        self.people = nn.Linear(width, people, bias=False)

    def forward(self, inputs):
        return inputs


def test_the_tower_is_that_of_the_source():
    tower = SiameseTower()
    assert sum(parameter.numel() for parameter in tower.parameters()) == 2_168_642
    assert tower(torch.zeros(2, 1, 100, 100)).shape == (2, 2)


def test_pairs_are_of_one_person_half_the_time_and_never_of_one_image_twice():
    order = RandomPairs(4_000)(PEOPLE, generator())
    first, second = order[0::2], order[1::2]
    assert len(order) == 8_000 and not bool((first == second).any())
    same = PEOPLE[first] == PEOPLE[second]
    several = PEOPLE[first] != 3
    assert same[several].float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert not bool(same[~several].any())  # of whom there is one image
    assert torch.equal(order, RandomPairs(4_000)(PEOPLE, generator()))
    with pytest.raises(ValueError, match="two people at least"):
        RandomPairs(4)(torch.zeros(1, dtype=torch.long), generator())


def test_a_balanced_batch_has_as_many_images_of_each_person():
    order = Balanced(3, 4, 5)(PEOPLE, generator())
    assert len(order) == 60
    for batch in order.split(12):
        people = PEOPLE[batch].view(3, 4)
        assert all(len(set(row.tolist())) == 1 for row in people)
        assert len(set(people[:, 0].tolist())) == 3
        for row, images in zip(people, batch.view(3, 4), strict=True):
            there = int((row[0] == PEOPLE).sum())
            assert len(set(images.tolist())) == min(4, there)


def test_the_contrastive_loss_is_that_of_a_plain_loop():
    points = torch.randn(12, 6, generator=generator())
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 2, 0, 2, 2, 1, 2])
    loss, told = Contrastive(2.0)(Points(), points, labels)
    terms = []
    for first, second in zip(range(0, 12, 2), range(1, 12, 2), strict=True):
        distance = (points[first] - points[second] + 1e-6).norm().item()
        same = labels[first] == labels[second]
        terms.append(distance**2 if same else max(0.0, 2.0 - distance) ** 2)
    assert loss.item() == pytest.approx(sum(terms) / 6, rel=1e-5)
    assert told["loss"] == loss


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_mining_loss_is_that_of_a_plain_loop(share):
    points = torch.randn(13, 6, generator=generator())
    loss, told = MiningContrastive(share)(Points(), points, PEOPLE)
    kinds = {True: [], False: []}
    for first, second in itertools.combinations(range(13), 2):
        cosine = F.cosine_similarity(points[first], points[second], dim=0).item()
        kinds[bool(PEOPLE[first] == PEOPLE[second])].append(cosine)
    hard = sorted(kinds[True])[: math.ceil(share * len(kinds[True]))]
    near = sorted(kinds[False], reverse=True)[: math.ceil(share * len(kinds[False]))]
    assert loss.item() == pytest.approx((sum(near) / len(near) - sum(hard) / len(hard)) / 2, abs=1e-6)
    nearest = [
        max((F.cosine_similarity(points[a], points[b], dim=0).item(), b) for b in range(13) if b != a)[1]
        for a in range(13)
    ]
    right = sum(int(PEOPLE[a] == PEOPLE[b]) for a, b in enumerate(nearest)) / 13
    assert told["accuracy"].item() == pytest.approx(right)


def test_without_a_share_the_pairs_are_those_of_pytorch_metric_learning():
    points = F.normalize(torch.randn(13, 6, generator=generator()))
    loss, _ = MiningContrastive(0.0)(Points(), points, PEOPLE)
    miner = miners.BatchEasyHardMiner(pos_strategy="hard", neg_strategy="hard")
    # it keeps images that have pairs of both kinds: all but the lone one
    a, p, b, n = miner(points, PEOPLE)
    likeness = points @ points.T
    hardest = {int(i): likeness[i, j].item() for i, j in zip(a, p, strict=True)}
    nearest = {int(i): likeness[i, j].item() for i, j in zip(b, n, strict=True)}
    lone = 12
    nearest.setdefault(lone, max(likeness[lone, :lone].tolist()))
    expected = (sum(nearest.values()) / len(nearest) - sum(hardest.values()) / len(hardest)) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_the_cross_entropy_over_people_is_added():
    model, points = Points(), torch.randn(13, 6, generator=generator())
    bare, _ = MiningContrastive(0.5)(model, points, PEOPLE)
    both, _ = MiningContrastive(0.5, 16.0)(model, points, PEOPLE)
    logits = 16 * F.normalize(points) @ F.normalize(model.people.weight).T
    assert (both - bare).item() == pytest.approx(F.cross_entropy(logits, PEOPLE).item(), rel=1e-5)


def test_a_batch_without_pairs_of_a_kind_is_refused():
    points = torch.randn(3, 6)
    for labels in ([0, 1, 2], [1, 1, 1]):
        with pytest.raises(ValueError, match="two images of one person, and two people"):
            MiningContrastive()(Points(), points, torch.tensor(labels))


def test_a_fixed_normaliser_stays_and_the_flawed_one_drifts():
    model = DistanceNetwork(nn.Identity())
    points = torch.tensor([[0.0], [1.0], [0.0], [3.0]])
    labels = torch.tensor([0, 0, 0, 1])
    loss, _ = NormalisedDistance(4.0)(model, points, labels)
    expected = -(math.log(1 - 0.25) + math.log(0.75)) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert model.largest == 0
    NormalisedDistance()(model, points, labels)
    assert model.largest.item() == pytest.approx(3, abs=1e-5)
    NormalisedDistance()(model, 2 * points, labels)
    assert model.largest.item() == pytest.approx(6, abs=1e-5)
    model.eval()
    NormalisedDistance()(model, 9 * points, labels)
    assert model.largest.item() == pytest.approx(6, abs=1e-5)


def test_batch_norm_keeps_its_statistics_while_pairs_are_trained_on():
    model = DistanceNetwork(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)))
    model.train()
    _, norm, dropout = model.network
    assert not norm.training and dropout.training
    model(5 + torch.randn(4, 1, 3, 3, generator=generator()))
    assert torch.equal(norm.running_mean, torch.zeros(2))
    assert norm.weight.requires_grad


class Greedy(nn.Linear):
    """Says that the memory holds no more than `most` images."""

    most: int
    seen: list[int]

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError(f"{len(x)} images")
        return super().forward(x.flatten(1))


@pytest.mark.parametrize(
    ("order", "objective", "batch", "fits"),
    [
        (RandomPairs(9), Contrastive(), 12, [12, 6, 2]),
        (Balanced(4, 3, 2), MiningContrastive(), 12, [12, 6]),
    ],
)
def test_where_memory_ends_a_batch_is_cut_between_pairs_and_between_people(order, objective, batch, fits):
    model = Greedy(6, 4)
    model.most, model.seen = fits[-1], []
    images = torch.randint(0, 255, (len(PEOPLE), 6, 1, 1), dtype=torch.uint8, generator=generator())
    data = Data(Images(images, PEOPLE), (0.0,) * 6, (1.0,) * 6)
    history = fit(model, data, Recipe(1, batch, precision="float32"), objective, order=order)
    assert history.batch == fits[-1]
    assert list(dict.fromkeys(model.seen)) == fits
    with pytest.raises(ValueError, match="multiple of"):
        fit(model, data, Recipe(1, batch - 1), objective, order=order)


def test_mined_pairs_part_people_in_training_and_a_run_is_taken_up_again(tmp_path):
    drawn = generator(1)
    centres = torch.randn(6, 20, generator=drawn)
    people = torch.arange(6).repeat_interleave(8)
    images = centres[people] + 1.5 * torch.randn(48, 20, generator=drawn)
    maps = images[:, :, None, None]
    data = Data(Images(maps, people), (0.0,) * 20, (1 / 255,) * 20)

    def train(epochs, checkpoint=None):
        torch.manual_seed(0)
        model = LinearEmbedding((20, 1, 1), 8, 6)
        recipe = Recipe(epochs, 16, optimizer="adamw", learning_rate=1e-2, precision="float32")
        order = Balanced(4, 4, 5)
        history = fit(model, data, recipe, MiningContrastive(0.5, 16.0), order=order, checkpoint=checkpoint)
        return model, history

    model, history = train(20)
    assert history.train_accuracy[-1] > history.train_accuracy[0] + 0.2
    assert history.train_loss[-1] < history.train_loss[0]
    again, _ = train(20, tmp_path / "checkpoint.pt")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
