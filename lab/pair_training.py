"""Training on pairs of images, by `lab.training.fit`: the order in which images come, and what is minimised.

An order lays the images of one epoch out, so that a batch of them holds the pairs that its objective wants;
where memory ends, a batch is cut between pairs, or between people, never within (`unit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REVISION = 1  # to be raised when the same settings and seed give another network


@dataclass(frozen=True)
class RandomPairs:
    """Pairs drawn anew every epoch: images 2k and 2k + 1 are a pair, by a fair coin of the same person or of
    two. Whoever has one image is never in a pair of the same person: it is one of two people then.
    """

    pairs: int
    unit: ClassVar[int] = 2

    def __call__(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        people = labels.cpu()
        count = len(people)
        first = torch.randint(count, (self.pairs,), generator=generator)
        same = torch.rand(self.pairs, generator=generator) < 0.5
        alike = people[first][:, None] == people[None]  # (pairs, N)
        wanted = alike == same[:, None]
        wanted[torch.arange(self.pairs), first] = False
        wanted = torch.where(wanted.any(1, keepdim=True), wanted, ~alike)
        if not bool(wanted.any(1).all()):
            raise ValueError("pairs are drawn of two people at least")
        second = torch.multinomial(wanted.float(), 1, generator=generator)[:, 0]
        return torch.stack([first, second], 1).flatten()


@dataclass(frozen=True)
class Balanced:
    """Batches of `people` × `each` images, person after person; as many batches an epoch as `batches` says.

    A person with fewer images than `each` gives some of them more than once.
    """

    people: int
    each: int
    batches: int

    @property
    def unit(self) -> int:
        return self.each

    def __call__(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        names = labels.cpu()
        own = [torch.nonzero(names == one)[:, 0] for one in names.unique()]
        batches = []
        for _ in range(self.batches):
            for person in torch.randperm(len(own), generator=generator)[: self.people].tolist():
                there = len(own[person])
                drawn = torch.cat(
                    [torch.randperm(there, generator=generator) for _ in range(math.ceil(self.each / there))]
                )
                batches.append(own[person][drawn[: self.each]])
        return torch.cat(batches)


@dataclass(frozen=True)
class Contrastive:
    """mean[(1 − y) d² + y max(0, margin − d)²] over the pairs of a batch, y = 1 where the people differ, d
    their Euclidean distance (Hadsell et al. 2006; without its ½, as the source of SiameseTower has it).

    "accuracy": share of pairs that half the margin tells right.
    """

    margin: float = 2.0

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        points = model(images).float()
        distances = F.pairwise_distance(points[0::2], points[1::2])
        different = labels[0::2] != labels[1::2]
        loss = torch.where(different, (self.margin - distances).clamp(min=0), distances).square().mean()
        right = (distances > self.margin / 2) == different
        return loss, {"loss": loss.detach(), "accuracy": right.float().mean()}


@dataclass(frozen=True)
class NormalisedDistance:
    """Binary cross-entropy of the Euclidean distance, divided by a normaliser, as the probability that a pair
    is of two people. Images 2k and 2k + 1 are a pair.

    normaliser: fixed, so that the loss means the same from step to step. With 0 it is the largest distance
    that training has met, kept in the model's buffer `largest`, which drifts: a flaw of a published program,
    for comparison. "accuracy": share of pairs that half the normaliser tells right.
    """

    normaliser: float = 0.0

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        points = model(images).float()
        distances = F.pairwise_distance(points[0::2], points[1::2])
        different = labels[0::2] != labels[1::2]
        normaliser: Tensor | float = self.normaliser
        if not normaliser:
            largest = model.get_buffer("largest")
            if model.training:
                largest.copy_(torch.maximum(largest, distances.detach().max()))
            normaliser = largest
        share = (distances / normaliser).clamp(1e-4, 1 - 1e-4)
        loss = F.binary_cross_entropy(share, different.float())
        right = (share > 0.5) == different
        return loss, {"loss": loss.detach(), "accuracy": right.float().mean()}


@dataclass(frozen=True)
class MiningContrastive:
    """½ (mean over N − mean over P) of cosine similarities, after Guo et al. 2018, section 3.2.

    P: the hardest positive pairs of the batch, those of one person that are least alike; N: the hardest
    negative ones, of two people, most alike. The paper mines the hard pairs of a batch and takes the means of
    their similarities; that `share` of the pairs of each kind counts as hard is ours. With a share of 0 the
    pairs are those of pytorch-metric-learning's BatchEasyHardMiner: of each image the hardest of both kinds.
    As in the paper a cross-entropy over the people is added; ours is of `scale` times the cosine between
    embedding and the model's `people.weight`, and left out where the scale is 0. Labels are then people's
    rows.

    "accuracy": share of images whose most similar one in the batch is of the same person.
    """

    share: float = 0.5
    scale: float = 0.0

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        points = F.normalize(model(images).float())
        likeness = points @ points.T
        same = labels[:, None] == labels[None]
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positives, negatives = self.mined(likeness, same & ~itself, ~same)
        loss = (negatives.mean() - positives.mean()) / 2
        if self.scale:
            directions = F.normalize(model.get_parameter("people.weight").float())
            loss = loss + F.cross_entropy(self.scale * points @ directions.T, labels)
        nearest = likeness.detach().masked_fill(itself, -math.inf).argmax(1)
        right = labels[nearest] == labels
        return loss, {"loss": loss.detach(), "accuracy": right.float().mean()}

    def mined(self, likeness: Tensor, same: Tensor, different: Tensor) -> tuple[Tensor, Tensor]:
        """Similarities of the hard positive and of the hard negative pairs. ValueError without a kind."""
        if not bool(same.any()) or not bool(different.any()):
            raise ValueError("a batch needs two images of one person, and two people")
        if not self.share:
            hardest = likeness.masked_fill(~same, math.inf).amin(1)
            nearest = likeness.masked_fill(~different, -math.inf).amax(1)
            return hardest[same.any(1)], nearest[different.any(1)]
        once = torch.ones_like(same).triu(1)
        kinds = likeness[same & once], likeness[different & once]
        counts = [math.ceil(self.share * len(one)) for one in kinds]
        return kinds[0].topk(counts[0], largest=False).values, kinds[1].topk(counts[1]).values
