"""ResNet-50 as its paper has it, beside torchvision's."""

from __future__ import annotations

from torchvision.models import resnet
from torchvision.models.resnet import ResNet


def resnet50() -> ResNet:
    """ResNet-50 of He et al. (2016, section 3.4 and table 1), (N, 3, 224, 224) → (N, 1000).

    A block that halves the map does so in its first 1×1 convolution; torchvision moves that stride into the
    3×3 convolution, which then reads a map of four times the pixels.
    """
    model = resnet.resnet50(weights=None)
    for module in model.modules():
        if isinstance(module, resnet.Bottleneck) and module.stride != 1:
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    model.input_shape = (3, 224, 224)
    return model
