"""What the appendix says of where numbers come from."""

from __future__ import annotations

from report import provenance
from results.schema import Result
from tests.report.conftest import vgg19


def noted(result: Result, note: str, fingerprint: str = "a" * 64) -> Result:
    """The same result, measured on data with such a note and content."""
    (data,) = result.provenance.datasets
    other = data.model_copy(update={"notes": (note,), "fingerprint": fingerprint})
    origin = result.provenance.model_copy(update={"datasets": (other,)})
    return result.model_copy(update={"provenance": origin})


def test_data_of_one_content_is_described_once_although_two_results_put_it_differently() -> None:
    first, second = (noted(vgg19(), note) for note in ("1 file was left out", "one file is no image"))
    told = provenance.text({"a": first, "b": second}, "runner")
    assert told.count("(fingerprint") == 1 and "1 file was left out" in told
    third = noted(vgg19(), "one file is no image", "b" * 64)
    assert provenance.text({"a": first, "b": second, "c": third}, "runner").count("(fingerprint") == 2


def test_a_profile_that_all_results_share_stands_in_the_caption() -> None:
    full = vgg19()
    quick = full.model_copy(update={"profile": "quick"})
    alike, mixed = provenance.table({"a": full, "b": full}), provenance.table({"a": full, "b": quick})
    assert "profile full" in alike.caption and "profile" not in [one.key for one in alike.columns]
    assert "All are" not in mixed.caption and "profile" in [one.key for one in mixed.columns]
