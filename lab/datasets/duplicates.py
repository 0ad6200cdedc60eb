"""Near-duplicates: the same photograph under two names, scaled, recoloured, cropped a little, or mirrored.

A test image that has a near-duplicate among the training images tests memory. Each image is described by its
low frequencies, as perceptual hashes do; the coefficients are kept as numbers, since the signs that a hash of
64 bits keeps of them are noise where a coefficient is about zero (of two copies of a checkerboard 28 bits
differed).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Least similarity of two images of one group. Pairs that are no copies by eye: 3 of 96 of FaceScrub's nine
#: people, 13 of 51 of ten classes of textures (stripes and checks of one width), 6 of 143 between CIFAR-10's
#: training and test images; at 0.9: 3 of 75, 3 of 37, none of 80. Faces cropped otherwise lie at 0.8 to 0.85.
SAME = 0.85
SIDE = 32  # pixels of the thumbnail that is described
FREQUENCIES = 16  # of the thumbnail along each axis
BLOCK = 500  # images at a time
PAIRS = 5_000_000  # that are held at a time
ACROSS = 20_000  # others that they are compared with at a time


def near_duplicates(images: NDArray[np.uint8], threshold: float = SAME) -> NDArray[np.int64]:
    """The group of each image, (N,) from 0 in the order of their first images: near-duplicates share one.

    images: uint8 (N, C, H, W), such as `ImageSet.images`. threshold: of the similarity, in (0, 1], of two
    images or of one and the mirror image of the other; groups are what such pairs connect. 10,000 images
    take seconds. An image without contrast is like no other.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(f"images are uint8 (N, C, H, W), and these are {images.dtype} {images.shape}")
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is a similarity above 0, at most 1, and this is {threshold}")
    described = descriptions(images)
    turned = described * _mirroring()
    found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for start in range(0, len(described), BLOCK):
        rows = described[start : start + BLOCK]
        for left in range(start, len(described), ACROSS):
            others = slice(left, left + ACROSS)
            likeness = np.maximum(rows @ described[others].T, rows @ turned[others].T)
            found.append(np.argwhere(likeness >= threshold) + np.array((start, left)))
            if sum(map(len, found)) > PAIRS:  # frames of a film are all alike: as few pairs connect them
                firsts = _firsts(found, len(images))
                found = [np.stack([firsts, np.arange(len(images))], axis=1)]
    return np.unique(_firsts(found, len(images)), return_inverse=True)[1]


def _firsts(pairs: list[NDArray[np.int64]], count: int) -> NDArray[np.int64]:
    """Of each of `count` images, the first that pairs connect it with."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.concatenate(pairs).T
    connected = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    groups = connected_components(connected, directed=False)[1]
    return np.unique(groups, return_index=True)[1][groups]


def descriptions(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, D): cosine coefficients of the grey thumbnail without the mean, each times its frequency, to which
    the amplitudes of photographs are about inverse; of length 1. The product of two is their similarity.
    """
    left, right = (_basis() @ _thumbnail(length) for length in images.shape[2:])
    weights = np.hypot(*np.mgrid[:FREQUENCIES, :FREQUENCIES]).astype(np.float32).ravel()[1:]
    parts = [np.empty((0, len(weights)), np.float32)]
    for start in range(0, len(images), BLOCK):
        grey = images[start : start + BLOCK].mean(axis=1, dtype=np.float32)
        coefficients = (left @ grey @ right.T).reshape(len(grey), -1)[:, 1:] * weights
        lengths = np.linalg.norm(coefficients, axis=1, keepdims=True)
        parts.append(coefficients / np.where(lengths > 1, lengths, np.inf))
    return np.concatenate(parts)


def clusters(groups: ArrayLike) -> list[list[int]]:
    """The images of each group that has several, in their order."""
    numbers = np.asarray(groups)
    counts = np.bincount(numbers)
    return [np.flatnonzero(numbers == group).tolist() for group in np.flatnonzero(counts > 1)]


def _basis() -> NDArray[np.float32]:
    """(FREQUENCIES, SIDE): the orthonormal cosines of the discrete cosine transform, type II."""
    at, frequency = np.arange(SIDE) + 0.5, np.arange(FREQUENCIES)[:, None]
    cosines: NDArray[np.float64] = np.cos(np.pi * frequency * at / SIDE) * np.sqrt(2 / SIDE)
    cosines[0] /= np.sqrt(2)
    return cosines.astype(np.float32)


def _thumbnail(length: int) -> NDArray[np.float32]:
    """(SIDE, length): means over the parts of an axis that SIDE pixels cover."""
    ends = np.linspace(0, length, SIDE + 1)
    pixel = np.arange(length)
    covered = np.minimum(ends[1:, None], pixel + 1) - np.maximum(ends[:-1, None], pixel)
    return (covered.clip(min=0) * SIDE / length).astype(np.float32)


def _mirroring() -> NDArray[np.float32]:
    """(D,): a mirrored image has the opposite coefficients at odd horizontal frequencies."""
    signs = np.where(np.arange(FREQUENCIES) % 2, -1, 1)
    return np.tile(signs, FREQUENCIES)[1:].astype(np.float32)
