"""`data list`, `data verify` and `data fetch` as a user types them, on small data of the test's own."""

from __future__ import annotations

import hashlib
import json
import zipfile

import pytest
from PIL import Image

from lab.datasets import MissingData
from lab.datasets.inventory import inventory, verify
from tests.lab.datasets.small_files import classes, packed, write

KINDS = {"monet": 3, "manet": 2}


def one_sentence(finished):
    assert "Traceback" not in finished.stderr
    (line,) = [line for line in finished.stderr.splitlines() if line.strip()]
    return line


def flipped(path, name):
    """One byte of a member altered, as a bad disk would."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        content[archive.getinfo(name).header_offset + 80] ^= 255
    path.write_bytes(content)


def test_what_is_ready_is_listed_with_its_place_and_licence(convstudy, root):
    packed(root / "artists.zip", classes(KINDS))
    finished = convstudy("--data-root", str(root), "data", "list", "--json")
    assert finished.returncode == 0, finished.stderr
    states = {state["data"]: state for state in json.loads(finished.stdout)}
    assert states["artists"]["ready"] == "yes"
    assert states["artists"]["where"] == str(root / "artists.zip")
    assert states["artists"]["images"] == 5
    assert not states["artists"]["pictures_may_be_published"]
    assert states["lfw"]["ready"] == "no"
    assert "data fetch lfw" in states["lfw"]["problem"]
    assert states["faces"]["ready"] == "embedded"
    assert states["faces"]["pictures_may_be_published"]
    assert finished.stdout == convstudy("--data-root", str(root), "list", "data", "--json").stdout


def test_the_list_is_read_by_people_too(convstudy, root):
    packed(root / "artists.zip", classes(KINDS))
    finished = convstudy("--data-root", str(root), "data", "list")
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("artists ")]
    assert " yes " in line
    assert str(root / "artists.zip") in line
    assert "stay here" in line


def test_a_set_that_is_damaged_is_listed_as_such_and_hides_no_other(root):
    (root / "artists.zip").write_bytes(b"PK cut short")
    packed(root / "lfw.zip", classes({"lfw/A_B": 2, "lfw/C_D": 1}))
    states = {state.name: state for state in inventory(root)}
    assert states["artists"].ready == "damaged"
    assert "artists.zip is no readable zip" in states["artists"].problem
    assert states["lfw"].ready == "yes"


def test_sound_data_verifies(convstudy, root):
    packed(root / "artists.zip", classes(KINDS))
    write(root / "lfw", classes({"A_B": 2, "C_D": 1}, ".jpg"))
    finished = convstudy("--data-root", str(root), "data", "verify")
    assert finished.returncode == 0, finished.stderr
    assert f"artists: 5 files in {root / 'artists.zip'}, all sound" in finished.stdout
    assert f"lfw: 3 files in {root / 'lfw'}, all sound" in finished.stdout


def test_damaged_files_are_named_and_counted(convstudy, root):
    path = packed(root / "artists.zip", classes(KINDS))
    for name in ("monet/0001.png", "manet/0000.png"):
        flipped(path, name)
    finished = convstudy("--data-root", str(root), "data", "verify", "artists", "--json")
    assert finished.returncode == 1
    (found,) = json.loads(finished.stdout)
    assert found["files"] == 5
    assert len(found["damaged"]) == 2
    assert all(name in " ".join(found["damaged"]) for name in ("monet/0001.png", "manet/0000.png"))
    printed = convstudy("--data-root", str(root), "data", "verify", "artists")
    assert "2 damaged" in printed.stdout
    assert printed.returncode == 1


def test_an_image_that_is_cut_short_in_a_folder_is_found(root):
    files = classes(KINDS, ".jpg")
    files["monet/0000.jpg"] = files["monet/0000.jpg"][:-20]
    write(root / "artists", files)
    found = verify("artists", root)
    assert len(found.damaged) == 1
    assert "monet/0000.jpg" in found.damaged[0]
    assert "truncated" in found.damaged[0]


def test_an_archive_with_another_hash_than_stated_beside_it_is_found(root):
    path = packed(root / "artists.zip", classes(KINDS))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write(root, {"SHA256SUMS": f"{digest}  artists.zip\n{digest}  other.zip\n"})
    assert verify("artists", root).damaged == ()
    packed(path, classes(KINDS, start=3))
    (problem,) = verify("artists", root).damaged
    assert "SHA256SUMS beside it lists" in problem


def test_an_archive_with_another_hash_than_published_is_found(root):
    packed(
        root / "images_background_small1.zip", classes({"x/Latin/character01": 2, "x/Greek/character01": 1})
    )
    (problem,) = verify("omniglot", root).damaged
    assert "images_background_small1.zip is not the file that was published" in problem


def test_verify_reports_its_progress(root):
    packed(root / "artists.zip", classes(KINDS))
    said = []
    verify("artists", root, lambda *progress: said.append(progress))
    assert said == [("artists", done, 5) for done in range(1, 6)]


def test_data_that_is_not_here_cannot_be_verified(convstudy, root):
    with pytest.raises(MissingData):
        verify("lfw", root)
    finished = convstudy("--data-root", str(root), "data", "verify", "lfw")
    assert finished.returncode == 1
    assert "data fetch lfw" in one_sentence(finished)


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["data", "fetch", "cifar11"], 2, "did you mean cifar10"),
        (["data", "verify", "lwf"], 2, "did you mean lfw"),
        (["data", "fetch", "facescrub"], 1, "ROOT/facescrub/facescrub.txt"),
        (["data", "fetch", "shapes"], 1, "comes with the program"),
        (["data", "remove", "lfw"], 2, "remove"),
        (["--data-root", "nowhere", "data", "list"], 2, "nowhere is no folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(convstudy, arguments, status, expected):
    finished = convstudy(*arguments)
    assert expected in one_sentence(finished)
    assert finished.returncode == status


def test_listing_and_verifying_import_no_torch(convstudy, root, tmp_path):
    packed(root / "artists.zip", classes(KINDS))
    (tmp_path / "block").mkdir()
    (tmp_path / "block/torch.py").write_text("raise AssertionError('torch was imported')\n")
    for arguments in (["data", "list"], ["data", "verify", "artists"]):
        finished = convstudy("--data-root", str(root), *arguments, path=tmp_path / "block")
        assert finished.returncode == 0, finished.stderr


def test_a_name_between_colons_is_no_picture_of_a_bomb(convstudy, tmp_path):
    """rich has pictures for the names of many things between colons; a bomb is an image far too large."""
    write(tmp_path / "bomb", classes(KINDS))
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb" / "monet" / "large.png")
    finished = convstudy("data", "verify", "folder:bomb")
    assert finished.stdout.startswith("folder:bomb: 6 files in bomb, 1 damaged")
    assert "it is too large: 400,000,000 pixels, and at most 178,956,970 are read" in finished.stdout
    assert finished.stderr.startswith("checking folder:bomb")


def test_a_run_says_what_it_reads_and_what_it_leaves_out(convstudy, tmp_path):
    files = {**classes({"cat": 1, "dog": 1}), "cat/1.heic": b"x"}
    write(tmp_path / "phone", files)
    finished = convstudy("run", "classification.photographs", "--set", "data.name=folder:phone")
    assert finished.returncode == 1  # too few; what there is was said before
    assert "folder:phone: 2 images are read\n" in finished.stderr
    assert "1 file of a kind that cannot be read was left out: 1 .heic" in finished.stderr
