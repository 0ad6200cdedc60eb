"""Numbers and tables of claims as people write them."""

from __future__ import annotations

import pytest

from analyses.architecture import _claims as claims
from analyses.architecture import audit
from analyses.architecture._claims import Claim, ClaimsError, holds
from analyses.architecture._claims_values import read_value


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("61,100,840", 61_100_840, ""),
        ("61.100.840", 61_100_840, ""),
        ("61 100 840", 61_100_840, ""),
        ("25.6M", 25.6e6, ""),
        ("25,6M", 25.6e6, ""),
        ("25.6 million", 25.6e6, ""),
        ("4.1G", 4.1e9, ""),
        ("19.6 GMACs", 19.6e9, ""),
        ("8.2 GFLOPs", 8.2e9, "flops"),
        ("97.8 MB", 97.8e6, "bytes"),
        ("97.8 MiB", 97.8 * 2**20, "bytes"),
        ("76.1%", 0.761, "percent"),
        ("≈ 144M", 144e6, ""),
        ("1.234,5", 1234.5, ""),
        ("6e7", 6e7, ""),
        ("1.8×10^9", 1.8e9, ""),
        ("1.8 · 10⁹", 1.8e9, ""),
        ("10^6", 1e6, ""),
        ("11.7M*", 11.7e6, ""),
        ("11.7M [3]", 11.7e6, ""),
        ("11.7 Mio.", 11.7e6, ""),
        ("1,5 Mrd.", 1.5e9, ""),
        ("1.8 Gigaflops", 1.8e9, "flops"),
    ],
)
def test_a_number_is_read_with_its_unit(text, value, unit):
    found = read_value(text)
    assert (found.value, found.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("25.6M", (25_557_032, 25_649_999), (25_500_000, 25_700_000)),
        ("144M", (143_667_240,), (143_400_000,)),
        ("61100840", (61_100_840,), (61_100_841,)),
        ("1.8e9", (1_814_073_344,), (1_860_000_000,)),
        ("4.0–4.2G", (3_950_000_000, 4_089_184_256), (3_900_000_000,)),
        ("< 5M", (4_999_999, 0), (5_000_001,)),
        (">5M", (5_000_001,), (4_999_999,)),
        ("25 ± 1M", (24_000_000, 26_000_000), (23_900_000,)),
        ("25M ±2%", (24_600_000, 25_500_000), (24_400_000,)),
    ],
)
def test_a_claim_without_a_tolerance_holds_for_what_its_writing_says(text, yes, no):
    value = read_value(text)
    claim = Claim(quantity="q", claimed=value.value, low=value.low, high=value.high, text=text)
    assert all(holds(claim, number) for number in yes)
    assert not any(holds(claim, number) for number in no)


def test_a_relative_tolerance_is_of_the_computed_value():
    claim = Claim(quantity="q", claimed=111.0, tolerance="10%")
    assert not holds(claim, 100) and holds(claim, 101)


def test_flops_are_two_a_mac_and_bytes_four_a_weight():
    flops = Claim(quantity="q", claimed=8.2e9, low=8.15e9, high=8.25e9, unit="flops", text="8.2 GFLOPs")
    assert holds(flops, 4_089_184_256) and not holds(flops, 8_178_368_512)
    size = Claim(quantity="q", claimed=97.8e6, tolerance="1%", unit="bytes", text="97.8 MB")
    assert holds(size, 25_557_032)  # 97.5 MiB: what file managers call MB


def test_a_shape_holds_in_either_order_and_with_a_batch():
    for text in ("55x55x64", "64x55x55", "1x64x55x55", "55×55×64", "(55, 55, 64)", "[64,55,55]"):
        assert holds(Claim(quantity="q", claimed=read_value(text).value), "55×55×64"), text
    assert not holds(Claim(quantity="q", claimed="55x64x55"), "55×55×64")


@pytest.mark.parametrize("text", ["abc", "25.6 parsecs", "1,23,4", "5-4", "", "1e999", "12.34.56"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_value(text)


def test_a_tolerance_stands_in_place_of_what_rounding_leaves_open(tmp_path):
    (claim,), _ = read(tmp_path, "quantity,claimed,tolerance\na/total/macs,3.8e9,2%\n")
    assert holds(claim, 3_860_000_000) and not holds(claim, 3_900_000_000)
    (written,), _ = read(tmp_path, "quantity,claimed\na/total/macs,3.8e9\n")
    assert holds(written, 3_849_000_000) and not holds(written, 3_860_000_000)


def test_flops_that_hold_as_macs_are_said_to():
    claim = Claim(quantity="q", claimed=1.8e9, low=1.75e9, high=1.85e9, unit="flops", text="1.8 GFLOPs")
    assert "as multiply–accumulates the claim would hold" in audit._converted(claim, 1_814_073_344)
    assert "would hold" not in audit._converted(claim, 1_100_000_000)


def read(tmp_path, text: str, name: str = "claims.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return claims.read(path)


def test_a_european_spreadsheet_is_read(tmp_path):
    found, problems = read(tmp_path, "quantity;claimed;tolerance\r\nvgg19/total/macs;19,6e9;0,5%\r\n")
    assert (found[0].claimed, found[0].tolerance, problems) == (19.6e9, "0.5%", ())


def test_thousands_follow_the_style_of_the_file(tmp_path):
    european, _ = read(tmp_path, "quantity;claimed\na/b/macs;25,600M\nc/d/macs;1,5M\n")
    assert european[0].claimed == 25.6e6
    plain, _ = read(tmp_path, 'quantity,claimed\na/b/macs,"25,600"\n')
    assert plain[0].claimed == 25_600


def test_both_decimal_styles_in_one_file_are_refused_with_their_lines(tmp_path):
    with pytest.raises(ClaimsError, match=r"comma in line 2 and with a point in line 3"):
        read(tmp_path, "quantity;claimed\na/b/macs;1,5M\nc/d/macs;1.5M\n")


def test_every_bad_row_is_reported_with_its_line_and_the_rest_is_kept(tmp_path):
    text = "quantity,claimed,tolerance\na/b/macs,1,\n,2,\nc/d/macs,three,\ne/f/macs,4,much\ng/h/macs,5\n"
    found, problems = read(tmp_path, text)
    assert [claim.line for claim in found] == [2]
    assert [problem.line for problem in problems] == [3, 4, 5, 6]


MARKDOWN = """Some words.

| quantity | claimed | source |
|---|--:|---|
| vgg19/total/macs | **19.6G** | a blog |
"""
LATEX = r"""
\begin{tabular}{lrr}
  \toprule
  Model & Params (M) & GFLOPs \\ % a comment
  \midrule
  ResNet-50~\cite{he2016} & 25.6 & \textbf{8.2} \\
  VGG-19 & 143.7 & -- \\
  \bottomrule
\end{tabular}
"""


def test_claims_are_read_from_markdown_and_from_a_tabular_of_a_paper(tmp_path):
    (claim,), _ = read(tmp_path, MARKDOWN, "table.md")
    assert (claim.quantity, claim.claimed, claim.source) == ("vgg19/total/macs", 19.6e9, "a blog")
    found, problems = read(tmp_path, LATEX, "table.tex")
    assert [(c.quantity, round(float(c.claimed)), c.unit, c.line) for c in found] == [
        ("ResNet-50/total/parameters", 25.6e6, "", 6),
        ("ResNet-50/total/macs", 8.2e9, "flops", 6),
        ("VGG-19/total/parameters", 143.7e6, "", 7),
    ]
    assert problems == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("quantity,worth\n", "has no column 'claimed'"), ("quantity,claimed,who\n", "'who'")],
)
def test_a_file_that_is_no_table_of_claims_is_one_sentence(tmp_path, text, message):
    with pytest.raises(ClaimsError, match=message):
        read(tmp_path, text)


def test_a_claim_may_say_what_its_quantity_is_called(tmp_path):
    found, problems = read(tmp_path, "quantity,claimed,name\nresnet18/total/parameters,11.7M,ResNet-18\n")
    assert not problems and found[0].name == "ResNet-18"


def test_a_table_may_name_model_and_quantity_in_columns_of_their_own(tmp_path):
    claims, problems = read(
        tmp_path,
        "Model,Quantity,Value\nresnet18,parameters,11.7M\nvgg19,features.0/macs,86704128\n"
        "vgg16,FLOPs,31G\n,a/b,5\n",
    )
    assert [(claim.quantity, claim.unit) for claim in claims] == [
        ("resnet18/total/parameters", ""),
        ("vgg19/features.0/macs", ""),
        ("vgg16/total/macs", "flops"),
        ("a/b", ""),
    ]
    assert not problems
    with pytest.raises(ClaimsError, match="two columns that are read as 'claimed'"):
        read(tmp_path, "quantity,claimed,value\na/b,1,2\n")
