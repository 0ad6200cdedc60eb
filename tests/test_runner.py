"""The command line: exit statuses, one-sentence errors, and JSON where a program reads."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "results"


def one_sentence(finished):
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, finished.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "architecture.alexnett"], "did you mean architecture.alexnet"),
        (["run", "architecture.vgg"], "did you mean architecture.vgg19"),
        (["build", "architecture"], "architectures"),
        (["explain", "vgg19"], "no analysis or study 'vgg19'"),
        (["inspect", "resnet5"], "resnet50"),
        (["inspect", "resnet18", "--input", "3x224"], "input"),
        (["inspect", "resnet18", "--input", "abc"], "3x224x224"),
        (["inspect", "alexnet", "--input", "3x8x8"], "3×8×8"),
        (["inspect", "resnet18", "--against", "ptflops"], "there is no counter 'ptflops'"),
        (["inspect", "resnet18", "--json", "--csv"], "two formats"),
        (["inspect", "collections:OrderedDict"], "collections:OrderedDict"),
        (["inspect", "torch.nn:Linear"], "torch.nn:Linear"),
        (["list", "weights"], "macros, study-keys, or the id"),
        (["run", "--profile", "fast"], "quick or full"),
        (["run", "architecture.inception", "--set", "inputs=1x2x3"], "did you mean input"),
        (["run", "architecture.inception", "--set", "filters=[1,2]"], "filters"),
        (["run", "--set", "a=1"], "name one"),
        (["build", "--format", "docx"], "pdf,ipynb,latex,html"),
        (["nothing"], "nothing"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(convstudy, arguments, expected):
    finished = convstudy(*arguments)
    assert expected in one_sentence(finished)
    assert finished.returncode == 2


def claims(tmp_path, text):
    path = tmp_path / "claims.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quantity,worth\nvgg19/total/macs,1\n", "no column 'claimed'"),
        ("quantity,claimed,colour\nvgg19/total/macs,1,red\n", "column 'colour'"),
        ("quantity,claimed\n", "holds no claim"),
        ("", "is empty"),
        ("quantity,claimed\nvgg19/total/macs,\xe9\n".encode("latin-1"), "not UTF-8"),
        ("quantity,claimed\nvgg19/total/macs,many\n", "neither a number"),
        ("quantity,claimed\nvgg19/total/mac,1\n", "did you mean macs"),
        ("quantity,claimed\nvgg19/features.99/macs,1\n", "no layer 'features.99'"),
        ("quantity,claimed\nvgg20/total/macs,1\n", "vgg19"),
        ("quantity,claimed\narchitecture.alexnet/total,1\n", "did you mean total_parameters"),
        ("quantity,claimed\nmacs,1\n", "neither analysis/metric nor model/layer/what"),
        ("quantity,claimed\nvgg19/total/macs\n", "not as many cells"),
        ("quantity,claimed,tolerance\nvgg19/total/macs,1,some\n", "tolerance 'some'"),
        ("quantity,claimed,tolerance\nvgg19/total/macs,1,-5%\n", "tolerance '-5%'"),
        ("quantity,claimed\nvgg19/total/macs,nan\n", "neither a number"),
    ],
)
def test_a_claims_file_that_cannot_be_used_is_one_sentence_and_status_2(convstudy, tmp_path, text, expected):
    finished = convstudy("audit", claims(tmp_path, text))
    assert expected in one_sentence(finished)
    assert finished.returncode == 2


def test_claims_that_hold_and_claims_that_do_not(convstudy, tmp_path):
    good = "vgg19/total/macs,19.6e9,1%\nalexnet/features.0/output,55x55x64,\n"
    good += "resnet18/fc/output,1000,\n"
    finished = convstudy("audit", claims(tmp_path, f"quantity,claimed,tolerance\n{good}"), "--json")
    assert finished.returncode == 0, finished.stderr
    assert [claim["holds"] for claim in json.loads(finished.stdout)["claims"]] == [True, True, True]

    bad = "architecture.alexnet/total_parameters,61100840,\n"
    finished = convstudy("audit", claims(tmp_path, f"quantity,claimed,tolerance\n{good}{bad}"), "--json")
    assert finished.returncode == 1
    last = json.loads(finished.stdout)["claims"][-1]
    assert (last["claimed"], last["computed"], last["holds"]) == (61_100_840, 60_965_224, False)


def test_inspect_prints_exactly_the_promised_keys(convstudy):
    finished = convstudy("inspect", "resnet18", "--json")
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert set(found) == {"model", "input", "inputs", "totals", "layers", "counters", "differences"}
    assert set(found["totals"]) == {"parameters", "weights", "biases", "activations", "macs"}
    assert set(found["counters"]) == {"fvcore", "torch", "torchinfo"}
    assert found["counters"]["torch"] == 2 * found["totals"]["macs"]
    for counter, total in found["counters"].items():
        explained = sum(row["amount"] for row in found["differences"] if row["counter"] == counter)
        assert found["totals"]["macs"] + explained == (total // 2 if counter == "torch" else total)


def test_inspect_counts_a_model_of_the_users_own(convstudy, tmp_path):
    (tmp_path / "mynets.py").write_text(
        "from torch import nn\n\ndef tiny():\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(2048, 5))\n"
    )
    finished = convstudy("inspect", "mynets:tiny", "--input", "3x16x16", "--csv", "--against", "none")
    assert finished.returncode == 0, finished.stderr
    header, *rows = finished.stdout.splitlines()
    assert header.startswith("layer,kind,filter")
    assert rows[-1].startswith("Total") and rows[-1].endswith("total")
    assert str(3 * 3 * 3 * 8 * 256 + 8 * 256 * 5) in rows[-1]


def test_inspect_names_every_input_of_a_model_of_several(convstudy, tmp_path):
    (tmp_path / "twonets.py").write_text(
        "from torch import nn\n\nclass Two(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.conv, self.table = nn.Conv2d(3, 4, 3), nn.Embedding(10, 4)\n"
        "    def forward(self, image, ids):\n"
        "        return self.conv(image).mean((2, 3)) + self.table(ids).mean(1)\n"
    )
    inputs = ("--input", "image=3x16x8", "--input", "ids=5:long")
    finished = convstudy("inspect", "twonets:Two", *inputs, "--markdown", "--against", "none")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("image: 16×8×3; ids: 5") == 2, "in the totals and above the layers"


def test_inspect_writes_a_page(convstudy, tmp_path):
    page = tmp_path / "net.html"
    finished = convstudy("inspect", "alexnet", "--against", "none", "--html", str(page))
    assert finished.returncode == 0, finished.stderr
    assert "61,090,496" in page.read_text()
    assert "<code>classifier.1</code>" in page.read_text(), "as code, whose long names break"
    assert 'data-kind="network"' in page.read_text() and 'data-row="classifier.1"' in page.read_text()


def test_show_prints_a_recorded_result_as_json(convstudy):
    finished = convstudy("show", "architecture.alexnet", "--json", results=RECORDED)
    assert json.loads(finished.stdout)["metrics"]["total_parameters"]["value"] == 60_965_224


def test_a_missing_result_says_how_to_make_it(convstudy):
    finished = convstudy("show", "architecture.alexnet")
    assert finished.returncode == 1
    assert "python runner.py run architecture.alexnet" in one_sentence(finished)


def test_run_records_once_and_explain_says_why(convstudy, tmp_path):
    first = convstudy("run", "architecture.lenet", "--json")
    assert json.loads(first.stdout) == [{"analysis": "architecture.lenet", "profile": "full", "ran": True}]
    again = convstudy("run", "architecture.lenet", "--json")
    assert json.loads(again.stdout)[0]["ran"] is False
    assert "unchanged" in convstudy("explain", "architecture.lenet").stdout

    store = Store(tmp_path / "results")
    result = store.read("architecture.lenet", "full")
    old = result.provenance.model_copy(
        update={"cache_key": "0", "libraries": {**result.provenance.libraries, "torch": "1.0"}}
    )
    store.write(result.model_copy(update={"provenance": old}))
    (row,) = json.loads(convstudy("explain", "architecture.lenet", "--json").stdout)
    assert row["state"] == "stale"
    assert "1.0" in row["reasons"][0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence_and_status_1(convstudy, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    finished = convstudy("run", "architecture.lenet")
    assert finished.returncode == 1
    assert "half-written" in one_sentence(finished)


def test_results_that_are_no_folder_are_one_sentence_and_status_1(convstudy, tmp_path):
    (tmp_path / "results").write_text("")
    finished = convstudy("run", "architecture.lenet")
    assert finished.returncode == 1
    assert "half-written" in one_sentence(finished)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    """A file system of 64 KiB cannot hold the result; needs the right to mount."""
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        (full / "filler").write_bytes(b"0" * 57_344)
        command = [
            sys.executable,
            str(ROOT / "runner.py"),
            "--results",
            str(full),
            "run",
            "architecture.alexnet",
        ]
        finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert finished.returncode == 1
        assert "No space left" in one_sentence(finished)
        assert not list(full.rglob("*.json"))
    finally:
        subprocess.run(["umount", str(full)], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--json"],
        ["show", "architecture.zoo"],
        ["show", "architecture.zoo", "--json"],
        ["audit", "recorded.csv"],
    ],
    ids=" ".join,
)
def test_what_is_recorded_is_listed_shown_and_audited_without_torch(arguments, tmp_path):
    (tmp_path / "recorded.csv").write_text("quantity,claimed\narchitecture.zoo/models,1627\n")
    code = (
        f"import sys, runner; assert runner.main({arguments!r}) == 0; "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )


def test_a_counter_that_is_not_there_is_refused_before_torch_is_imported():
    code = (
        "import sys, runner; assert runner.main(['inspect', 'resnet18', '--against', 'thop']) == 2; "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
