"""Every mode, depth, transparency and orientation is seen as an image viewer shows it, or refused by name."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lab.datasets import DataError, load
from lab.datasets.files import IMAGE_ENDINGS
from lab.datasets.layouts import UNREAD
from lab.datasets.viewing import ORIENTATION, Unclear, viewed
from lab.interpretation import photograph
from tests.lab.datasets.small_files import encoded, pixels, write

WHITE = [255, 255, 255]


def seen(content):
    return np.asarray(viewed(io.BytesIO(content)))


def saved(image, kind, **options):
    opened = io.BytesIO()
    image.save(opened, kind, **options)
    return opened.getvalue()


def png(width, depth, colour, row, *chunks):
    """One row, written by the specification: Pillow writes neither 16-bit colour nor transparent values."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


GREY_16 = struct.pack(">4H", 0, 257, 32896, 65535)  # 0, 1, 128 and 255 of 8 bits
DEEP = {
    "png": png(4, 16, 0, GREY_16),
    "pgm": b"P5 4 1 65535\n" + GREY_16,
    "pgm of 12 bits": b"P5 4 1 4095\n" + struct.pack(">4H", 0, 16, 2056, 4095),
    "tiff": saved(Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16)), "TIFF"),
    "jpeg 2000": saved(
        Image.fromarray(np.tile(np.array([0, 257, 32896, 65535], np.uint16), (4, 1))), "JPEG2000"
    ),
    "fractions": saved(Image.fromarray(np.array([[0, 1 / 255, 128 / 255, 1]], np.float32)), "TIFF"),
}


@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP)
def test_more_than_8_bits_are_scaled_and_not_clipped(content):
    assert seen(content)[0].tolist() == [0, 1, 128, 255]


def test_colours_of_16_bits_keep_their_high_bytes():
    row = struct.pack(">6H", 0, 32896, 65535, 257, 514, 771)
    assert seen(png(2, 16, 2, row)).tolist() == [[[0, 128, 255], [1, 2, 3]]]


def test_numbers_without_a_stated_white_are_refused_with_what_to_do(tmp_path):
    for values in (np.array([[0, 70_000]], np.int32), np.array([[0, 12.5]], np.float32)):
        content = saved(Image.fromarray(values), "TIFF")
        with pytest.raises(Unclear, match="white is not stated; save it with 8 or 16 bits"):
            seen(content)
    write(tmp_path / "pets", {"a/1.tif": content, "b/1.png": encoded(1)})
    with pytest.raises(DataError, match=r"a/1\.tif: it holds fractions beyond 0 to 1"):
        load(f"folder:{tmp_path}/pets", size=(8, 8))


def test_transparency_is_on_white_in_every_way_of_stating_it():
    clear = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], np.uint8)
    blended = [round(0.2 * value + 0.8 * 255) for value in (0, 100, 200)]
    for kind, options in (
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True, "exact": True}),
        ("TGA", {}),
    ):
        assert seen(saved(Image.fromarray(clear), kind, **options)).tolist() == [
            [[10, 20, 30], WHITE, blended]
        ]
    premultiplied = Image.fromarray(clear).convert("RGBa").convert("RGBA")
    assert seen(saved(premultiplied, "PNG"))[0, 1].tolist() == WHITE
    grey = np.array([[[7, 255], [7, 0]]], np.uint8)
    assert seen(saved(Image.fromarray(grey, "LA"), "PNG")).tolist() == [[7, 255]]


def test_a_transparent_colour_or_palette_entry_is_white():
    palette = (b"PLTE", bytes([1, 2, 3, 4, 5, 6]))
    assert seen(png(2, 4, 3, b"\x01", palette, (b"tRNS", b"\x00\xff")))[0].tolist() == [WHITE, [4, 5, 6]]
    assert seen(png(2, 8, 0, b"\x07\x08", (b"tRNS", b"\0\x07"))).tolist() == [[255, 8]]
    assert seen(png(4, 4, 0, b"\x0f\x37", (b"tRNS", b"\0\x03"))).tolist() == [[0, 255, 255, 119]]
    assert seen(png(2, 2, 0, b"\x60", (b"tRNS", b"\0\x01"))).tolist() == [[255, 170]]
    assert seen(png(2, 1, 0, b"\x40", (b"tRNS", b"\0\x00"))).tolist() == [[255, 255]]
    assert seen(png(4, 16, 0, GREY_16, (b"tRNS", b"\x01\x01"))).tolist() == [[0, 255, 128, 255]]
    colour = (b"tRNS", struct.pack(">3H", 1, 2, 3))
    assert seen(png(2, 8, 2, bytes([1, 2, 3, 4, 5, 6]), colour))[0].tolist() == [WHITE, [4, 5, 6]]
    deep = struct.pack(">6H", 1000, 2000, 3000, 9000, 9000, 9000)
    shown = seen(png(2, 16, 2, deep, (b"tRNS", struct.pack(">3H", 1000, 2000, 3000))))
    assert shown[0].tolist() == [WHITE, [35, 35, 35]]


ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_every_orientation_is_turned_upright_once(orientation, kind):
    stored = pixels(3, height=4, width=6)
    image = Image.fromarray(stored)
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    options = {"tiffinfo": {ORIENTATION: orientation}} if kind == "TIFF" else {"exif": exif}
    if kind == "WEBP":
        options["lossless"] = True
    assert np.array_equal(seen(saved(image, kind, **options)), ORIENTED[orientation](stored))


def test_damaged_exif_turns_nothing():
    content = saved(Image.fromarray(pixels(1)), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(seen(content), pixels(1))


MODES = {
    "1": [[0, 0, 0], WHITE],
    "L": [[100, 100, 100], [200, 200, 200]],
    "P": [[0, 0, 0], [255, 0, 0]],
    "RGB": [[1, 2, 3], [200, 100, 0]],
    "CMYK": [[0, 255, 255], WHITE],
    "YCbCr": [[0, 0, 0], WHITE],
    "LAB": [[0, 0, 0], WHITE],
}
STORED = {
    "1": [0, 1],
    "L": [100, 200],
    "P": [0, 1],
    "RGB": [(1, 2, 3), (200, 100, 0)],
    "CMYK": [(255, 0, 0, 0), (0, 0, 0, 0)],
    "YCbCr": [(0, 128, 128), (255, 128, 128)],
    "LAB": [(0, 128, 128), (255, 128, 128)],
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_colours_that_are_seen(mode):
    image = Image.new(mode, (2, 1))
    image.putdata(STORED[mode])
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 0, 0])
    shown = viewed(io.BytesIO(saved(image, "TIFF"))).convert("RGB")
    assert np.abs(np.asarray(shown)[0].astype(int) - MODES[mode]).max() <= 1


def test_the_first_frame_of_several_is_taken():
    frames = [Image.fromarray(pixels(seed)) for seed in (1, 2)]
    for kind in ("PNG", "TIFF"):
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert np.array_equal(seen(content), pixels(1))


def test_training_and_interpretation_see_the_same_photograph(tmp_path):
    image = Image.fromarray(np.dstack([pixels(5), pixels(6, channels=1)]))
    exif = image.getexif()
    exif[ORIENTATION] = 6
    content = saved(image, "PNG", exif=exif)
    write(tmp_path / "pets", {"a/1.png": content, "b/1.png": content})
    trained = load(f"folder:{tmp_path}/pets").images[0]
    assert np.array_equal(photograph(f"file:{tmp_path}/pets/a/1.png")[0].numpy(), trained)


def test_every_ending_that_pillow_knows_is_read_or_named_as_one_that_cannot_be():
    Image.init()
    opened = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    assert opened <= {*IMAGE_ENDINGS, *UNREAD}
    assert not set(IMAGE_ENDINGS) & UNREAD
