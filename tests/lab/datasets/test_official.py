"""Every layout that is read, made small in the test; and the real data where CONVSTUDY_DATA names it."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess

import numpy as np
import pytest

from lab.datasets import DataError, ImageSet, cifar10, facescrub, load, locate, official
from lab.datasets.files import open_files
from tests.lab.datasets.small_files import classes, encoded, packed, pixels, write

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
REAL = os.environ.get("CONVSTUDY_DATA")  # before the fixtures take it away


def channels_first(*seeds, **shape):
    return np.stack([np.moveaxis(pixels(seed, **shape), -1, 0) for seed in seeds])


def batch(seed, count, labels="labels", kinds=10, **more):
    images = np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)
    said = {
        "data": images,
        labels: [index % kinds for index in range(count)],
        "filenames": [f"file_{seed}_{index}.png" for index in range(count)],
        **more,
    }
    return pickle.dumps(said, protocol=2)


def cifar_batches(count=4):
    files = {f"data_batch_{number}": batch(number, count) for number in range(1, 6)}
    files |= {"test_batch": batch(9, count), "batches.meta": pickle.dumps({"label_names": NAMES}, protocol=2)}
    return {f"cifar-10-batches-py/{name}": content for name, content in files.items()}


def test_cifar10_is_read_from_its_batches(root):
    write(root, cifar_batches())
    train, test = load("cifar10", "train", root=root), load("cifar10", "test", root=root)
    assert train.images.shape == (20, 3, 32, 32)
    assert test.images.shape == (4, 3, 32, 32)
    assert train.classes == tuple(NAMES)
    assert train.files[4] == "file_2_0.png"
    assert train.labels[:5].tolist() == [0, 1, 2, 3, 0]
    first = np.random.default_rng(1).integers(0, 256, (4, 3072), dtype=np.uint8)[0]
    assert np.array_equal(train.images[0].reshape(-1), first)
    assert load("cifar10", "test", root=root, size=(16, 16), grey=True).images.shape == (4, 1, 16, 16)


def test_cifar10_is_read_from_its_archive_as_it_is_offered(root):
    write(root, cifar_batches())
    folder = load("cifar10", "train", root=root)
    subprocess.run(
        ["tar", "-C", root, "--remove-files", "-czf", root / "cifar-10-python.tar.gz", "cifar-10-batches-py"],
        check=True,
    )
    archive = load("cifar10", "train", root=root)
    assert archive.fingerprint == folder.fingerprint
    assert np.array_equal(archive.images, folder.images)


def test_what_is_there_is_counted_and_said_not_to_be_the_published_files(root):
    write(root, cifar_batches())
    source = locate("cifar10", root)
    assert source.release.images == 24
    (note,) = source.notes
    assert (
        "batches.meta, data_batch_1, data_batch_2, … (4 more)" in note
        or "published (checksums differ)" in note
    )
    subprocess.run(
        ["tar", "-C", root, "--remove-files", "-czf", root / "cifar-10-python.tar.gz", "cifar-10-batches-py"],
        check=True,
    )
    described = locate("cifar10", root).describe()
    assert described["images"] == 24
    assert described["notes"] == (
        f"{root}/cifar-10-python.tar.gz is not the file that was published (its checksum differs)",
    )


def test_batches_that_are_missing_or_damaged_are_named(root):
    write(root, cifar_batches())
    (root / "cifar-10-batches-py/data_batch_3").write_bytes(batch(3, 4)[:500])
    with pytest.raises(DataError, match=r"data_batch_3 in .* cannot be read .*fetch it again"):
        load("cifar10", "train", root=root)
    (root / "cifar-10-batches-py/data_batch_3").unlink()
    with pytest.raises(DataError, match="lacks data_batch_3; fetch it again"):
        load("cifar10", "train", root=root)


def test_a_pickle_that_would_run_code_is_refused(root, tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    write(root, cifar_batches())
    (root / "cifar-10-batches-py/test_batch").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(DataError, match=r"asks for posix\.mkdir"):
        load("cifar10", "test", root=root)
    assert not (tmp_path / "harm").exists()


def test_cifar100_is_read_by_its_fine_labels(root):
    fine = [f"kind{index}" for index in range(100)]
    files = {
        "train": batch(1, 6, "fine_labels", 100, coarse_labels=[0] * 6),
        "test": batch(2, 3, "fine_labels", 100),
        "meta": pickle.dumps({"fine_label_names": fine}),
    }
    write(root, {f"cifar-100-python/{name}": content for name, content in files.items()})
    images = load("cifar100", "train", root=root)
    assert images.classes == tuple(fine)
    assert images.labels.tolist() == list(range(6))


def image_set(labels, files):
    return ImageSet(
        "CIFAR-10",
        "train",
        np.zeros((len(labels), 3, 1, 1), np.uint8),
        labels,
        tuple(NAMES),
        files,
        "",
        "",
        False,
    )


def test_training_batch_1_is_the_first_10000_of_the_official_files():
    labels = np.random.default_rng(0).integers(0, 10, 50_000)
    found = cifar10.training_batch_1(image_set(labels, tuple(f"x_{n}.png" for n in range(50_000))))
    assert found.indices.tolist() == list(range(10_000))
    assert "official" in found.origin


def test_training_batch_1_is_known_in_a_pack_sorted_by_class():
    labels = np.repeat(np.arange(10), 5_000)
    files = tuple(f"train/{NAMES[n // 5000]}/{n % 5000:04d}.jpg" for n in range(50_000))
    found = cifar10.training_batch_1(image_set(labels, files))
    assert np.bincount(labels[found.indices]).tolist() == list(cifar10.BATCH_1_OF_PACK)
    assert found.indices[1004] == 1004
    assert found.indices[1005] == 5_000
    assert "pack" in found.origin


def test_training_batch_1_of_anything_else_is_a_balanced_draw_and_says_so():
    labels = np.repeat(np.arange(10), 2_000)
    found = cifar10.training_batch_1(image_set(labels, ("a/b",) * 20_000), seed=3)
    assert np.bincount(labels[found.indices]).tolist() == [1_000] * 10
    assert "seed 3" in found.origin
    with pytest.raises(DataError, match="10000 images are asked for and there are 10"):
        cifar10.training_batch_1(image_set(np.arange(10), ("a/b",) * 10))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "name no object"),
        ("1.png 0 20 20\n", "entry 1"),
        ("1.png 0 20 20 30\n\n2.png 0 20 x 30\n", "entry 2"),
        ("1.png 0 20 60 30\n", "with a square on the canvas of 48 pixels"),
        ("1.png 0 20 20 0\n", "with a square on the canvas"),
    ],
)
def test_labels_of_the_transformed_cifar10_without_sense_are_named(text, told):
    with pytest.raises(DataError, match=told):
        cifar10.transformed(image_set(np.array([0, 0]), ("",) * 2), text)


def test_lines_of_the_transformed_cifar10_meet_the_images_in_either_order():
    text = "1.png 2 20 21 24\n2.png 0 12 36 40\n3.png 2 30 30 30\n"
    official_order = cifar10.transformed(image_set(np.array([2, 0, 2, 1]), ("",) * 4), text)
    assert official_order.indices.tolist() == [0, 1, 2]
    by_class = cifar10.transformed(image_set(np.array([0, 1, 2, 2]), ("",) * 4), text)
    assert by_class.indices.tolist() == [2, 0, 3]
    assert by_class.boxes.tolist() == [[20, 21, 24], [12, 36, 40], [30, 30, 30]]
    with pytest.raises(DataError, match="names 2 images of class 2, and CIFAR-10 has 1"):
        cifar10.transformed(image_set(np.array([0, 2]), ("",) * 2), text)


def test_att_faces_are_people_with_their_glasses(root):
    faces = {f"s{person}/{n}.pgm": encoded(n, ".pgm", channels=1) for person in (1, 2) for n in (1, 2)}
    write(root / "att_faces", {**faces, "glasses.csv": "file,subject,glasses\ns1/1.pgm,s1,0\n"})
    images = load("att_faces", root=root)
    assert images.images.shape == (4, 1, 8, 8)
    assert images.classes == ("s1", "s2")
    rows = locate("att_faces", root).text("glasses.csv").splitlines()
    assert rows[1].split(",")[0] in images.files


def test_lfw_has_its_pairs_inside_or_beside(root):
    people = {f"lfw/A_B/A_B_000{n}.jpg": encoded(n, ".jpg") for n in (1, 2)}
    people |= {"lfw/C_D/C_D_0001.jpg": encoded(3, ".jpg")}
    write(root, {**people, "pairs.txt": "1\t1\nA_B\t1\t2\n"})
    assert load("lfw", root=root).classes == ("A_B", "C_D")
    assert locate("lfw", root).text("pairs.txt").startswith("1\t1")
    (root / "pairs.txt").rename(root / "lfw/pairs.txt")
    assert locate("lfw", root).text("pairs.txt").startswith("1\t1")
    (root / "lfw/pairs.txt").unlink()
    with pytest.raises(DataError, match=r"has no pairs\.txt; copy it into"):
        locate("lfw", root).text("pairs.txt")


def facescrub_files():
    contents = {str(face): encoded(face, height=20, width=30) for face in (11, 12, 13)}
    columns = "\t".join(facescrub.COLUMNS)
    lines = [columns]
    for name, face, content in (
        ("Ann Lee", "11", contents["11"]),
        ("Ann Lee", "12", contents["12"]),
        ("Bo Ray", "13", contents["13"]),
        ("Bo Ray", "14", b"never fetched"),
    ):
        digest = hashlib.sha256(content).hexdigest()
        lines.append("\t".join([name, "9" + face, face, "-", "5,4,15,14", digest]))
    altered = bytearray(contents["12"])
    altered[-20] ^= 1
    files = {f"images/{face}": content for face, content in contents.items()}
    return {**files, "images/12": bytes(altered), "facescrub.txt": "\n".join(lines)}


def test_facescrub_uses_only_what_has_its_hash_and_cuts_out_the_box(root):
    write(root / "facescrub", facescrub_files())
    images = load("facescrub", root=root)
    assert images.files == ("images/11", "images/13")
    assert images.classes == ("Ann Lee", "Bo Ray")
    cut = [np.moveaxis(pixels(seed, height=20, width=30)[4:14, 5:15], -1, 0) for seed in (11, 13)]
    assert np.array_equal(images.images, cut)


def test_facescrub_counts_what_is_altered_and_missing(root):
    files = facescrub_files()
    listed = files.pop("facescrub.txt")
    write(root / "facescrub", {**files, "facescrub_actors.txt": listed})
    (root / "facescrub/images/11").rename(root / "facescrub/whatever its name.jpeg")
    check = facescrub.check(open_files(root / "facescrub"))
    assert [entry.name for entry in check.accepted] == ["whatever its name.jpeg", "images/13"]
    assert check.altered == ("images/12",)
    assert check.missing == ("Bo Ray 14",)
    assert str(check) == "2 faces accepted by their SHA-256, 1 altered and 1 missing of the list"


def test_a_list_with_other_columns_or_a_broken_box_is_named(root):
    write(root / "facescrub", {"facescrub.txt": "name\turl\nA\t-\n"})
    with pytest.raises(DataError, match=r"facescrub\.txt .* its columns are name, image_id"):
        locate("facescrub", root)
    broken = facescrub_files()["facescrub.txt"].replace("5,4,15,14", "5,4,15", 1)
    write(root / "facescrub", {"facescrub.txt": broken})
    with pytest.raises(DataError, match=r"line 2 of facescrub\.txt .* '5,4,15'; it should be left,top"):
        locate("facescrub", root)


GT = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"


def gtsrb_training(base):
    files = {}
    for kind in (0, 7):
        frames = [f"0000{track}_0000{frame}.ppm" for track in (0, 1) for frame in (0, 1)]
        files |= {
            f"{base}/{kind:05d}/{frame}": encoded(kind, ".ppm", height=30, width=28) for frame in frames
        }
        files[f"{base}/{kind:05d}/GT-{kind:05d}.csv"] = GT + "".join(
            f"{frame};28;30;4;5;24;25;{kind}\n" for frame in frames
        )
    return files


def test_gtsrb_frames_are_cut_to_the_sign_and_know_their_track(root):
    write(root, gtsrb_training("GTSRB/Final_Training/Images"))
    images = load("gtsrb", "train", root=root)
    assert images.classes == ("00000", "00007")
    sign = np.moveaxis(pixels(7, height=30, width=28)[5:25, 4:24], -1, 0)
    assert np.array_equal(images.images[4], sign)
    assert official.tracks(images)[::2] == ("00000/00000", "00000/00001", "00007/00000", "00007/00001")


def test_gtsrb_is_read_from_the_archives_as_they_are_offered(root):
    packed(root / "GTSRB-Training_fixed.zip", gtsrb_training("GTSRB/Training"))
    frames = {f"GTSRB/Final_Test/Images/0000{n}.ppm": encoded(n, ".ppm") for n in (0, 1)}
    unlabelled = {"GTSRB/Final_Test/Images/GT-final_test.test.csv": "Filename;Width;Height\n"}
    packed(root / "GTSRB_Final_Test_Images.zip", {**frames, **unlabelled})
    truth = GT + "00000.ppm;8;8;1;1;5;5;7\n00001.ppm;8;8;1;1;5;5;0\n"
    packed(root / "GTSRB_Final_Test_GT.zip", {"GT-final_test.csv": truth})
    assert locate("gtsrb", root).release.splits == ("train", "test")
    assert len(load("gtsrb", "train", root=root)) == 8
    test = load("gtsrb", "test", root=root)
    assert [test.classes[label] for label in test.labels] == ["00007", "00000"]
    assert np.array_equal(test.images[1], np.moveaxis(pixels(1)[1:5, 1:5], -1, 0))


def test_gtsrb_as_class_folders_knows_its_tracks_too(root):
    files = {f"train/00003/0000{track}_00000.jpg": encoded(track, ".jpg") for track in (1, 2)}
    packed(root / "gtsrb.zip", {f"gtsrb/{name}": content for name, content in files.items()})
    assert official.tracks(load("gtsrb", "train", root=root)) == ("00003/00001", "00003/00002")
    packed(root / "gtsrb.zip", classes({"gtsrb/train/a": 1, "gtsrb/train/b": 1}))
    with pytest.raises(DataError, match="not named CLASS/TRACK_FRAME"):
        official.tracks(load("gtsrb", "train", root=root))


def test_dtd_follows_its_lists(root):
    files = {
        f"images/{name}": content for name, content in classes({"banded": 4, "dotted": 4}, ".jpg").items()
    }
    lists = {"train": ("0000", "0001"), "val": ("0002",), "test": ("0003",)}
    for kind, numbers in lists.items():
        said = "".join(f"{texture}/{number}.jpg\n" for texture in ("banded", "dotted") for number in numbers)
        files |= {f"labels/{kind}{fold}.txt": said for fold in (1, 2)}
    write(root / "dtd", files)
    source = locate("dtd", root)
    assert source.release.splits == ("train", "validation", "test", "train2", "validation2", "test2")
    assert source.release.images == 8
    images = load("dtd", "train", root=root)
    assert images.files == tuple(f"images/{t}/000{n}.jpg" for t in ("banded", "dotted") for n in (0, 1))
    (root / "dtd/images/dotted/0003.jpg").unlink()
    with pytest.raises(DataError, match=r"lacks images/dotted/0003\.jpg, which labels/test1\.txt names"):
        locate("dtd", root)


def test_meglass_people_come_from_the_file_names(root):
    names = ["7@N05_identity_2@84_0.jpg", "7@N05_identity_2@89_1.jpg", "9@N04_identity_7@11_1.jpg"]
    meta = "".join(f"{name} {number % 2}\n" for number, name in enumerate([*names, "absent@1.jpg"]))
    images = {f"MeGlass_120x120/{name}": encoded(number, ".jpg") for number, name in enumerate(names)}
    write(root / "MeGlass", {**images, "meta.txt": meta, "test/gallery_no_glass.txt": names[0] + "\n"})
    source = locate("meglass", root)
    assert source.release.notes == ("3 of the 4 images that meta.txt names are here",)
    assert source.text("test/gallery_no_glass.txt").strip() == names[0]
    found = load("meglass", root=root)
    assert found.classes == ("7@N05_identity_2", "9@N04_identity_7")
    assert found.labels.tolist() == [0, 0, 1]


def test_omniglot_merges_the_two_small_sets_and_counts_an_image_once(root):
    first = classes({"Balinese/character01": 2, "Latin/character01": 2})
    second = classes({"Latin/character01": 2, "Tagalog/character01": 3}, start=50)
    packed(
        root / "images_background_small1.zip", {f"images_background_small1/{n}": c for n, c in first.items()}
    )
    write(root / "images_background_small2", second)
    images = load("omniglot", root=root)
    (root / "omniglot").mkdir()
    for name in ("images_background_small1.zip", "images_background_small2"):
        (root / name).rename(root / "omniglot" / name)
    assert load("omniglot", root=root).files == images.files
    assert images.classes == ("Balinese/character01", "Latin/character01", "Tagalog/character01")
    assert np.bincount(images.labels).tolist() == [2, 2, 3]
    assert images.images.shape == (7, 1, 8, 8)


def test_decathlon_folders_are_read_and_their_unlabelled_test_is_not(root):
    train, val = classes({"0001": 2, "0002": 2}, ".jpg"), classes({"0001": 1, "0002": 1}, ".jpg", start=9)
    files = {f"train/{name}": content for name, content in train.items()}
    files |= {f"val/{name}": content for name, content in val.items()}
    files |= {"test/000001.jpg": encoded(77, ".jpg")}
    write(root / "decathlon-1.0-data/aircraft", files)
    source = locate("decathlon-aircraft", root)
    assert source.release.splits == ("train", "validation")
    images = load("decathlon-aircraft", "validation", root=root)
    assert images.classes == ("0001", "0002")
    assert len(images) == 2


def test_a_pair_of_zips_is_one_data_set_with_one_numbering(root):
    packed(root / "cifar10_train.zip", classes({"cat": 2, "dog": 2}))
    packed(root / "cifar10_test.zip", classes({"dog": 1}, start=7))
    source = locate("cifar10", root)
    assert source.release.splits == ("train", "test")
    test = load("cifar10", "test", root=root)
    assert test.classes == ("cat", "dog")
    assert test.labels.tolist() == [1]


def test_labels_alone_hold_no_images(root):
    packed(root / "transformed_cifar10_labels.zip", {"transformed_cifar10/train.txt": "1.png 3 20 20 30\n"})
    assert locate("transformed_cifar10", root).text("train.txt") == "1.png 3 20 20 30\n"
    with pytest.raises(DataError, match="no split 'train'; it has no images"):
        load("transformed_cifar10", "train", root=root)


def test_what_is_nowhere_says_where_it_was_looked_for_and_what_to_do(root, own_cache, monkeypatch):
    monkeypatch.setenv("CONVSTUDY_DATA", str(root))
    with pytest.raises(DataError) as caught:
        load("cifar10", "train")
    for part in (str(root), str(own_cache), "data fetch cifar10", "--data-root", "quick"):
        assert part in str(caught.value)
    with pytest.raises(DataError, match="no data set 'cifar11'"):
        load("cifar11")
    with pytest.raises(DataError, match="no folder or zip"):
        load(f"folder:{root}/nothing")
    (root / "empty").mkdir()
    with pytest.raises(DataError, match=r"no images in class folders \(CLASS/FILE\.jpg\)"):
        load(f"folder:{root}/empty")


def test_the_data_root_goes_before_the_cache(root, own_cache):
    write(own_cache / "data/artists", classes({"a": 1, "b": 1}))
    assert locate("artists", root).release.path == own_cache / "data/artists"
    write(root / "artists", classes({"a": 1, "b": 1}, start=5))
    assert locate("artists", root).release.path == root / "artists"


real = pytest.mark.skipif(not REAL, reason="CONVSTUDY_DATA is not set")


@real
@pytest.mark.parametrize(
    ("name", "split", "shape", "count"),
    [
        ("att_faces", "all", (400, 1, 112, 92), 40),
        ("artists", "all", (451, 3, 128, 128), 11),
        ("facescrub9", "all", (1224, 3, 160, 160), 9),
        ("omniglot", "all", (4840, 1, 105, 105), 242),
    ],
)
def test_the_real_packs_hold_what_they_say(name, split, shape, count):
    images = load(name, split, root=REAL)
    assert images.images.shape == shape
    assert len(images.classes) == count


@real
def test_the_real_facescrub_originals_are_checked_by_hash():
    images = load("facescrub", root=REAL, size=(64, 64))
    assert np.bincount(images.labels).tolist() == [4] * 9
    assert len(locate("facescrub", REAL).release.altered()) == 9


@real
def test_training_batch_1_is_what_the_transformed_labels_speak_of():
    images = load("cifar10", "train", root=REAL)
    subset = cifar10.training_batch_1(images)
    lines = cifar10.transformed(images, locate("transformed_cifar10", REAL).text("train.txt"))
    assert sorted(subset.indices) == sorted(lines.indices)
    assert np.array_equal(images.labels[lines.indices], lines.labels)
