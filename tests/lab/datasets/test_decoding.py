"""Files to pixels: exact, in order, kept once, and honest about damage."""

from __future__ import annotations

import hashlib
import io
import os
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.datasets import DataError, cache, decoding, load, locate
from lab.datasets.cache import cached_array
from lab.datasets.decoding import FEW, reshaped
from lab.datasets.files import open_files
from lab.datasets.inventory import verify
from tests.lab.datasets.small_files import classes, encoded, packed, pixels, write

ROOT = Path(__file__).resolve().parents[3]
KINDS = {"cat": 3, "dog": 2}


def kept_images(cache):
    return sorted((cache / "images").glob("*.npy"))


@pytest.mark.parametrize("ending", [".png", ".ppm", ".bmp"])
def test_pixels_labels_and_names_are_those_of_the_files(root, ending):
    write(root, {f"pets/{name}": content for name, content in classes(KINDS, ending).items()})
    images = load("folder:" + str(root / "pets"))
    assert images.images.shape == (5, 3, 8, 8)
    assert images.images.dtype == np.uint8
    for index in range(5):
        assert np.array_equal(images.images[index], np.moveaxis(pixels(index), -1, 0))
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    assert images.classes == ("cat", "dog")
    assert images.files[3] == f"dog/0000{ending}"


def test_a_folder_a_zip_and_a_nested_zip_of_the_same_files_are_the_same_data(root):
    files = classes(KINDS)
    folder = write(root / "pets", files)
    flat = packed(root / "flat.zip", {**files, "__MACOSX/cat/._0000.png": b"", ".DS_Store": b"x"})
    nested = packed(root / "nested.zip", {f"pets/{name}": content for name, content in files.items()})
    found = [load(f"folder:{path}") for path in (folder, flat, nested)]
    assert len({images.fingerprint for images in found}) == 1
    assert len({images.files for images in found}) == 1
    assert all(np.array_equal(images.images, found[0].images) for images in found)


def test_a_tar_is_read_too(root):
    write(root / "pets", classes(KINDS))
    subprocess.run(["tar", "-C", root, "-czf", root / "other.tar.gz", "pets"], check=True)
    assert locate(f"folder:{root}/other.tar.gz").fingerprint == locate(f"folder:{root}/pets").fingerprint
    assert load(f"folder:{root}/other.tar.gz").files == load(f"folder:{root}/pets").files


def test_one_folder_of_images_is_one_class_and_not_its_packing(root):
    packed(root / "cats.zip", {"cats/1.png": encoded(1), "cats/2.png": encoded(2)})
    assert load(f"folder:{root}/cats.zip").classes == ("cats",)


def test_a_zip_of_the_training_images_alone_keeps_its_split(root):
    packed(root / "x.zip", {f"train/{name}": content for name, content in classes(KINDS).items()})
    assert locate(f"folder:{root}/x.zip").release.splits == ("train",)


def test_the_second_reading_is_mapped_from_the_first(root, own_cache):
    write(root / "pets", classes(KINDS))
    first = load(f"folder:{root}/pets").images
    (kept,) = kept_images(own_cache)
    written = kept.stat().st_mtime_ns
    again = load(f"folder:{root}/pets").images
    assert isinstance(again, np.memmap)
    assert kept.stat().st_mtime_ns == written
    assert np.array_equal(first, again)
    again[:] = 0  # a reader's own copy of the page, as torch wants it
    assert np.array_equal(first, load(f"folder:{root}/pets").images)
    assert not list((own_cache / "images").glob("*.making"))


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


HARM = {
    "cut short": lambda content: content[:-10],
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "a bit of the header": lambda content: flipped(content, 60),
    "a bit of an image": lambda content: flipped(content, 400),
    "a bit of the checksums": lambda content: flipped(content, len(content) - 30),
    "a bit of the mark": lambda content: flipped(content, len(content) - 20),
    "without checksums": lambda content: content[: 128 + 5 * 192],
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_kept_file_that_was_altered_is_made_again(root, own_cache, harm):
    write(root / "pets", classes(KINDS))
    first = np.array(load(f"folder:{root}/pets").images)
    (kept,) = kept_images(own_cache)
    whole = kept.read_bytes()
    times = (kept.stat().st_atime_ns, kept.stat().st_mtime_ns)
    kept.write_bytes(harm(whole))
    os.utime(kept, ns=times)
    assert np.array_equal(load(f"folder:{root}/pets").images, first)
    assert kept.read_bytes()[: 128 + 5 * 192] == whole[: 128 + 5 * 192]


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_kept_features_that_were_altered_are_made_again(own_cache, harm):
    made = []

    def make():
        made.append(1)
        return np.arange(240, dtype=np.float32).reshape(5, 48)

    first = cached_array("features", ("x",), make)
    assert np.array_equal(cached_array("features", ("x",), make), first)
    assert len(made) == 1
    (kept,) = (own_cache / "features").glob("*.npy")
    kept.write_bytes(harm(kept.read_bytes()))
    assert np.array_equal(cached_array("features", ("x",), make), first)
    assert len(made) == 2
    assert np.array_equal(cached_array("features", ("x",), make), first)
    assert len(made) == 2


@pytest.mark.parametrize(
    "harm",
    [
        *(lambda _, text=text: text for text in (b"", b"[]", b"null", b'{"a": 1e999}', b"[" * 200_000)),
        lambda content: content[:-10],
        lambda content: re.sub(rb"\d\b", lambda digit: b"%d" % (9 - int(digit[0])), content),
        lambda content: content.replace(b"true", b"false"),
    ],
    ids=["empty", "list", "null", "number", "nested", "cut short", "digits", "truth"],
)
@pytest.mark.parametrize("kind", ["checksums", "published"])
def test_kept_checksums_that_were_altered_are_made_again(root, own_cache, harm, kind):
    """A wrong one would be another fingerprint, and so another data set."""
    folder = write(root / "pets", {"a/1.png": encoded(1), "b/2.png": encoded(2)})
    packed(root / "artists.zip", {"a/1.png": encoded(1), "b/2.png": encoded(2)})
    listed = hashlib.sha256((root / "artists.zip").read_bytes()).hexdigest()
    (root / "SHA256SUMS").write_text(f"{listed}  artists.zip\n")
    for file in folder.rglob("*.png"):
        os.utime(file, (1_600_000_000, 1_600_000_000))

    def told():
        return locate(f"folder:{folder}").fingerprint, locate("artists", root).notes

    first = told()
    (kept,) = (path for path in (own_cache / kind).iterdir() if path.suffix != ".lock")
    kept.write_bytes(harm(kept.read_bytes()))
    assert told() == first


def test_a_large_kept_file_is_checked_when_it_was_touched(root, own_cache, monkeypatch):
    monkeypatch.setattr(cache, "CHECKED", 0)
    write(root / "pets", classes(KINDS))
    first = np.array(load(f"folder:{root}/pets").images)
    (kept,) = kept_images(own_cache)
    kept.write_bytes(flipped(kept.read_bytes(), 400))
    assert np.array_equal(load(f"folder:{root}/pets").images, first)
    kept.touch()
    assert np.array_equal(load(f"folder:{root}/pets").images, first)
    settled = kept.stat().st_mtime_ns
    load(f"folder:{root}/pets")
    assert kept.stat().st_mtime_ns == settled


def test_a_member_of_a_zip_is_read_in_pieces_and_its_crc_is_checked(root):
    path = packed(root / "pets.zip", {**classes(KINDS), "long.txt": b"0123456789" * 500_000})
    with open_files(path).reading() as reader:
        pieces = list(reader.pieces("long.txt"))
    assert max(map(len, pieces)) <= 1 << 20
    assert b"".join(pieces) == b"0123456789" * 500_000
    content = bytearray(path.read_bytes())
    content[content.index(b"0123456789") + 4_000_000] ^= 1
    path.write_bytes(content)
    assert any("long.txt" in problem for problem in verify(f"folder:{path}").damaged)


def test_a_large_image_is_decoded_without_being_read_whole(root, monkeypatch):
    monkeypatch.setattr(decoding, "STREAMED", 100)
    path = packed(root / "pets.zip", classes(KINDS))
    write(root / "loose", classes(KINDS))
    for place in (path, root / "loose"):
        found = load(f"folder:{place}")
        assert np.array_equal(found.images[4], np.moveaxis(pixels(4), -1, 0))


def test_what_is_left_of_damaged_images_is_mapped_too(root, own_cache):
    files = classes({"cat": 5, "dog": 5})
    for name in ("cat/0000.png", "cat/0003.png", "dog/0004.png"):
        files[name] = b"no"
    images = load(f"folder:{write(root / 'pets', files)}", damaged="skip").images
    assert isinstance(images, np.memmap)
    expected = [pixels(index) for index in (1, 2, 4, 5, 6, 7, 8)]
    assert np.array_equal(images, np.moveaxis(np.stack(expected), -1, 1))


def test_another_content_is_another_fingerprint_and_other_pixels(root):
    write(root / "pets", classes(KINDS))
    before = load(f"folder:{root}/pets")
    write(root / "pets", {"cat/0000.png": encoded(99)})
    after = load(f"folder:{root}/pets")
    assert before.fingerprint != after.fingerprint
    assert np.array_equal(after.images[0], np.moveaxis(pixels(99), -1, 0))


def test_files_of_a_folder_are_read_once_for_the_fingerprint(root):
    write(root / "pets", classes(KINDS))
    for file in (root / "pets").rglob("*.png"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    first = locate(f"folder:{root}/pets").fingerprint
    for file in (root / "pets").rglob("*.png"):
        file.write_bytes(b"\0" * file.stat().st_size)
        os.utime(file, (1_000_000_000, 1_000_000_000))
    assert locate(f"folder:{root}/pets").fingerprint == first  # by size and time, without reading
    for file in (root / "pets").rglob("*.png"):
        os.utime(file, (1_000_000_001, 1_000_000_001))
    assert locate(f"folder:{root}/pets").fingerprint != first


def test_images_are_scaled_and_cut_around_their_centre(root):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    opened = io.BytesIO()
    Image.fromarray(wide).save(opened, "PNG")
    write(root / "pets", {"a/1.png": opened.getvalue(), "b/2.png": encoded(1, height=20, width=20)})
    with pytest.raises(DataError, match=r"differ in size .*say which size"):
        load(f"folder:{root}/pets")
    images = load(f"folder:{root}/pets", size=(5, 5))
    assert images.images.shape == (2, 3, 5, 5)
    assert images.images[0, :, 2, 2].tolist() == [200] * 3
    assert images.images[0].min() > 150  # the black sides are cut off


def test_colour_and_grey_are_as_asked(root):
    write(root / "pets", {"a/1.png": encoded(1, channels=1), "b/2.png": encoded(2)})
    assert load(f"folder:{root}/pets").images.shape == (2, 3, 8, 8)
    grey = load(f"folder:{root}/pets", grey=True).images
    assert grey.shape == (2, 1, 8, 8)
    assert np.array_equal(grey[0, 0], pixels(1, channels=1))


def test_pixels_that_are_decoded_already_are_shaped_alike():
    stacked = np.moveaxis(np.stack([pixels(1), pixels(2)]), -1, 1)
    assert reshaped(stacked, None, False) is stacked
    assert reshaped(stacked, (4, 6), True).shape == (2, 1, 4, 6)
    grey = stacked[:, :1]
    assert np.array_equal(reshaped(grey, None, False), np.repeat(grey, 3, axis=1))


DAMAGE = {
    "cut short": lambda content: content[: len(content) // 2],
    "no image": lambda content: b"not an image at all",
    "empty": lambda content: b"",
    "altered": lambda content: content[:40] + bytes(b ^ 255 for b in content[40:60]) + content[60:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_image_is_named_and_refused_or_left_out(root, own_cache, damage):
    files = classes(KINDS)
    files["dog/0000.png"] = damage(files["dog/0000.png"])
    write(root / "pets", files)
    with pytest.raises(DataError, match=r"1 of 5 images .*dog/0000\.png.*damaged=skip"):
        load(f"folder:{root}/pets")
    images = load(f"folder:{root}/pets", damaged="skip")
    assert images.files == ("cat/0000.png", "cat/0001.png", "cat/0002.png", "dog/0001.png")
    assert images.labels.tolist() == [0, 0, 0, 1]
    assert images.notes == ("1 image was left out (not to be decoded): dog/0000.png",)
    assert np.array_equal(images.images[3], np.moveaxis(pixels(4), -1, 0))
    assert kept_images(own_cache) == []


def test_only_damaged_images_are_refused_with_skip_too(root):
    write(root / "pets", {"cat/1.png": b"no", "dog/2.png": b"no"})
    with pytest.raises(DataError, match="2 of 2 images"):
        load(f"folder:{root}/pets", damaged="skip")


def test_a_zip_that_was_mended_is_read_again_though_its_list_is_the_same(root):
    path = packed(root / "pets.zip", classes(KINDS))
    sound = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("cat/0001.png").header_offset + 80
    path.write_bytes(sound[:place] + bytes([sound[place] ^ 255]) + sound[place + 1 :])
    with pytest.raises(DataError, match=r"cat/0001\.png.*CRC"):
        load(f"folder:{path}")
    path.write_bytes(sound)
    assert len(load(f"folder:{path}")) == 5


def test_a_truncated_zip_is_one_sentence(root):
    path = packed(root / "pets.zip", classes(KINDS))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"pets\.zip is no readable zip .*cut short; fetch or copy it again"):
        load(f"folder:{path}")


def test_many_images_are_decoded_by_several_processes_in_their_order(root):
    many = {f"c{index % 3}/{index:05d}.png": encoded(index, height=2, width=2) for index in range(FEW + 50)}
    packed(root / "many.zip", many)
    images = load(f"folder:{root}/many.zip")
    assert len(images) == FEW + 50
    for position in (0, 499, 500, 1234, FEW, FEW + 49):
        seed = int(images.files[position].rpartition("/")[2][:5])
        assert np.array_equal(images.images[position], np.moveaxis(pixels(seed, 2, 2), -1, 0))


@pytest.mark.parametrize("arguments", [["script.py"], ["-"]], ids=["file", "standard input"])
def test_a_script_needs_no_main_guard(root, tmp_path, arguments):
    many = {f"c{index % 3}/{index:05d}.png": encoded(index, height=2, width=2) for index in range(FEW + 50)}
    packed(root / "many.zip", many)
    script = f"print('once')\nfrom lab.datasets import load\nprint(len(load('folder:{root}/many.zip')))\n"
    (tmp_path / "script.py").write_text(script)
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.stdout == f"once\n{FEW + 50}\n", finished.stderr


def test_links_that_lead_nowhere_or_round_in_circles_are_passed_over(root):
    write(root / "pets", classes(KINDS))
    (root / "pets/cat/gone.png").symlink_to(root / "nothing.png")
    (root / "pets/dog/round").symlink_to(root / "pets")
    (root / "pets/eel").symlink_to(write(root / "elsewhere", {"0.png": encoded(9)}))
    assert load(f"folder:{root}/pets").classes == ("cat", "dog", "eel")
    assert len(load(f"folder:{root}/pets")) == 6


def test_processes_that_want_the_same_set_make_it_once(root, own_cache):
    packed(root / "pets.zip", classes({"cat": 40, "dog": 40}))
    script = f"from lab.datasets import load; print(int(load('folder:{root}/pets.zip').images.sum()))"
    started = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    sums = {process.communicate()[0].strip() for process in started}
    assert sums == {str(int(load(f"folder:{root}/pets.zip").images.sum()))}
    assert len(kept_images(own_cache)) == 1


def test_a_process_that_waits_for_what_another_makes_says_so(own_cache):
    script = "import pathlib, sys\nfrom lab.datasets.cache import keep_json\n"
    script += "keep_json(pathlib.Path(sys.argv[1]), 1)"
    file = own_cache / "one.json"
    with cache.making(file):
        second = subprocess.Popen(
            [sys.executable, "-c", script, str(file)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        said = second.stderr.readline()
        assert said == f"another process makes {file}; this one goes on when that has ended\n"
        assert second.poll() is None and cache.kept_json(file) is None
    assert second.communicate() == (None, "")
    assert cache.kept_json(file) == 1


def test_no_room_for_the_decoded_images_is_one_sentence_and_leaves_nothing(root, own_cache):
    write(root / "pets", classes(KINDS))
    locate(f"folder:{root}/pets").fingerprint  # noqa: B018  kept before, so that the images are what has no room
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(
            DataError, match=r"cannot be written \(File too large\); make room .*CONVSTUDY_CACHE"
        ):
            load(f"folder:{root}/pets")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept_images(own_cache) == []
    assert not list((own_cache / "images").glob("*.making"))
    assert len(load(f"folder:{root}/pets")) == 5


def test_a_cache_that_is_a_file_is_one_sentence(root, own_cache):
    write(root / "pets", classes(KINDS))
    own_cache.write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .*CONVSTUDY_CACHE"):
        load(f"folder:{root}/pets")


def test_select_copies_what_it_takes(root):
    write(root / "pets", classes(KINDS))
    images = load(f"folder:{root}/pets")
    chosen = images.select([3, 0])
    assert chosen.files == ("dog/0000.png", "cat/0000.png")
    assert chosen.labels.tolist() == [1, 0]
    assert np.array_equal(chosen.images[1], images.images[0])
    assert chosen.fingerprint == images.fingerprint
