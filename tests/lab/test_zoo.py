"""timm's table: read, and its figures reached from our counts."""

from __future__ import annotations

import pytest

from lab import zoo
from lab.zoo import Published

HEADER = "model,infer_img_size,param_count,infer_gmacs,infer_macts\n"

#: Rows of timm's published results (benchmark-infer, 2026), and which of our counts gives them.
QUOTED = {
    Published("mobilenetv3_large_100", 224, 5.48, 0.23, 4.41): "plain",
    Published("vit_base_patch16_224", 224, 86.57, 17.58, 23.9): "plain",
    Published("nf_resnet26", 224, 16.0, 2.41, 7.35): "plain",  # weights standardised by batch_norm
    Published("repvgg_a0", 224, 8.31, 1.36, 1.79): "fused",
}


@pytest.mark.parametrize("published", QUOTED, ids=lambda row: row.model)
def test_a_published_row_is_reached(published):
    counts = zoo.counted(published)
    assert zoo.matches(published, counts["plain"]) == (QUOTED[published] == "plain")
    assert zoo.matches(published, counts[QUOTED[published]])


def test_a_model_that_cannot_be_built_is_recorded_as_such():
    assert "no model" in zoo.counted(Published("no_such_network", 224, 1, 1, 1))["error"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,size\n", "has no column infer_img_size"),
        (HEADER + "a,224,many,1,1\n", r":2: could not convert"),
    ],
)
def test_a_table_that_is_none_of_timms_is_refused(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(zoo.TableError, match=message):
        zoo.read_table(path)
