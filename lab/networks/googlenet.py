"""GoogLeNet up to its last module, with the filters of the paper: Szegedy et al. 2015, table 1.

torchvision's has 3×3 filters in the place of the 5×5 ones.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from lab.networks.inception import GOOGLENET, Inception


def googlenet() -> nn.Sequential:
    """(N, 3, 224, 224) → (N, 1024, 7, 7); a module of table 1 is called by its name there, such as "3a"."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, 2, padding=3),
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
        conv2=nn.Conv2d(64, 64, 1),
        conv3=nn.Conv2d(64, 192, 3, padding=1),
        pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    before = 28
    for name, (width, channels, filters) in GOOGLENET.items():
        if width < before:
            layers[f"pool{name}"] = nn.MaxPool2d(3, 2, ceil_mode=True)
            before = width
        layers[name] = Inception((channels, width, width), filters)
    return nn.Sequential(layers)
