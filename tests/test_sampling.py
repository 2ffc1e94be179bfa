"""Samples of a run to judge, and the precision read from them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinspan.sampling import precision, sample_rows, write_sample
from corpus_files import written

VERDICTS = Path(__file__).parents[1] / "models/en_clinspan/verdicts_mtsamples.csv"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 12 present and 4 absent conditions and 2 present drugs."""
    kinds = [("CONDITION", "present")] * 12 + [("CONDITION", "absent")] * 4 + [("DRUG", "present")] * 2
    columns = {
        "note_id": [str(number) for number in range(len(kinds))],
        "label": [label for label, _ in kinds],
        "assertion": [assertion for _, assertion in kinds],
        "section": [None] * len(kinds),
    }
    (tmp_path / "run/entities").mkdir(parents=True)
    pq.write_table(pa.table(columns), tmp_path / "run/entities/part-00000.parquet")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("by", "n", "drawn"),
    [
        (["label"], 6, {(1, 16): 3, (2, 2): 2}),
        (["label", "assertion"], 9, {(1, 4): 3, (2, 12): 3, (3, 2): 2}),
        (["label"], 100, {(1, 16): 16, (2, 2): 2}),
        (["section"], 4, {(1, 18): 4}),
        ([], 5, {(1, 18): 5}),
    ],
)
def test_sample(run: Path, by: list[str], n: int, drawn: dict[tuple[int, int], int]) -> None:
    rows = sample_rows(run, n=n, by=by)
    assert Counter((row["group"], row["of"]) for row in rows) == drawn
    assert len({row["note_id"] for row in rows}) == len(rows)
    assert all(row["verdict"] == "" for row in rows)
    assert rows == sample_rows(run, n=n, by=by) != sample_rows(run, n=2, by=by, seed=1)


def test_sample_of_unknown_columns(run: Path) -> None:
    with pytest.raises(ValueError, match="no column colour in"):
        sample_rows(run, n=4, by=["label", "colour"])


def test_a_sample_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    write_sample(sample_rows(run, n=4), sample)
    before = sample.read_bytes()
    with pytest.raises(FileExistsError, match=r"sample\.csv"):
        write_sample([], sample)
    assert sample.read_bytes() == before
    write_sample([], sample, overwrite=True)
    assert sample.read_text().split(",")[-3:] == ["group", "of", "verdict\n"]


def filled(path: Path, *groups: tuple[str, int, int], header: str = "label,of,verdict") -> Path:
    """A sample of groups: what all their rows begin with, how many were judged right, and how many judged."""
    rows = [f"{row},{int(i < right)}\n" for row, right, judged in groups for i in range(judged)]
    return written(path, "filled.csv", header + "\n" + "".join(rows))


@pytest.mark.parametrize(
    ("groups", "share", "n"),
    [
        # The shares are of the run's rows; n is the number of rows that Wilson's interval is taken of, by hand.
        ([("A,990", 10, 10), ("B,10", 0, 10)], 0.99, 20),
        ([("A,900", 9, 10), ("B,100", 5, 10)], 0.86, 0.86 * 0.14 / (0.81 * 0.009 + 0.01 * 0.025)),
        ([("A,500", 9, 10), ("B,500", 1, 10)], 0.5, 20),  # by formula 27.8, more than were judged
        ([("A,990", 10, 10), ("B,10", 5, 10)], 0.995, 20),  # by formula 1,990
        ([("A,990", 10, 10), ("B,10", 10, 10)], 1, 20),
        ([("A,990", 0, 10), ("B,10", 0, 4)], 0, 14),
        ([("A,100.0", 6, 8)], 0.75, 8),
        ([("A,", 9, 10), ("B,", 1, 30)], 0.25, 40),
        ([("all,10", 1, 1), ("B,30", 0, 1)], 0.25, 2),  # a group of the name
    ],
)
def test_precision_weights_groups(tmp_path: Path, groups: list[tuple[str, int, int]], share: float, n: float) -> None:
    found = precision(filled(tmp_path, *groups))
    *keys, last = found
    assert keys == sorted((row.partition(",")[0],) for row, _, _ in groups) and last == ()
    overall = found[()]
    assert (overall.right, overall.judged) == (sum(r for _, r, _ in groups), sum(j for _, _, j in groups))
    z = 1.959964
    half = z * math.sqrt(share * (1 - share) / n + (z / n / 2) ** 2)
    limits = ((share + z * z / n / 2 + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    assert overall[2:] == pytest.approx((share, *limits))
    for row, right, judged in groups:
        assert found[row.partition(",")[0],][:3] == (judged, right, pytest.approx(right / judged))


@pytest.mark.parametrize(
    ("by", "shares"),
    [
        (["label"], {("C",): 0.75, ("D",): 1, (): 0.8}),
        (["label", "assertion"], {("C", "absent"): 0, ("C", "present"): 1, ("D", "present"): 1, (): 0.8}),
        (["assertion"], {("absent",): 0, ("present",): 1, (): 0.8}),
        (["section"], {("HPI",): 1, ("PMH",): (9 + 4) / (9 + 4 + 4), (): 0.8}),  # part of a group
        ([], {(): 0.8}),
    ],
)
def test_precision_by_other_columns_than_drawn_by(tmp_path: Path, by: list[str], shares: dict) -> None:
    """Drawn by label and assertion; groups 1 and 2 have the same label, 2 and 3 the same size."""
    rows = [
        ("C,present,PMH,1,12", 3, 3),
        ("C,present,HPI,1,12", 1, 1),
        ("C,absent,PMH,2,4", 0, 2),
        ("D,present,PMH,3,4", 4, 4),
    ]
    found = precision(filled(tmp_path, *rows, header="label,assertion,section,group,of,verdict"), by=by)
    shares = {key: pytest.approx(share) for key, share in shares.items()}
    assert {key: row.precision for key, row in found.items()} == shares


def test_from_run_to_precision(run: Path, tmp_path: Path) -> None:
    """All that is absent judged wrong, the rest right, the last row not at all: precision is that of the run."""
    rows = sample_rows(run, n=9, by=["label", "assertion"])
    for row in rows[:-1]:
        row["verdict"] = "no" if row["assertion"] == "absent" else "yes"
    write_sample(rows, tmp_path / "sample.csv")
    found = {key: (row.judged, row.right, row.precision) for key, row in precision(tmp_path / "sample.csv").items()}
    assert found == {
        ("CONDITION",): (6, 3, pytest.approx(12 / 16)),
        ("DRUG",): (1, 1, 1),
        (): (7, 4, pytest.approx(14 / 18)),
    }


def test_published_verdicts() -> None:
    found = precision(VERDICTS)
    assert len(found) == 8 and found[()][:2] == (364, 344)
    assert found[()][2:] == pytest.approx((0.9451, 0.9167, 0.9642), abs=5e-5)  # Wilson's, of 344 of 364


@pytest.mark.parametrize(
    "content",
    [
        "label,verdict\nA,1\nA,0\nA,\n".encode("utf-8-sig"),
        b"label;verdict\r\nA;1.0\r\nA;0.0\r\n\r\n",
        b"verdict\tlabel\tof\n1\tA\t3\nno\tA\t3\n\tA\n",
        "text,label,verdict\nœdème,A,Right\n".encode("cp1252") + b'"a,\nb",A,WRONG\n',
        "label\tverdict\nA\t1\nA\t0\n".encode("utf-16"),
    ],
)
def test_files_as_spreadsheets_write_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "filled.csv").write_bytes(content)
    found = precision(tmp_path / "filled.csv")
    assert [(key, row.judged, row.right) for key, row in found.items()] == [(("A",), 2, 1), ((), 2, 1)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no column label, verdict"),
        ("label,of\nfever,3\n", "no column verdict"),
        ("label,verdict\nfever,\nfever, \nfever\n", "no verdict is filled in"),
        ("label,verdict\nfever,1\n\nfever,perhaps\n", "row 4: a verdict is 1 or 0"),
        ("label,of,verdict\nfever,3,1\nfever,few,1\n", "row 3: 'of' is not a number above 0"),
        ("label,of,verdict\nfever,0,1\n", "row 2: 'of' is not a number above 0"),
        ("label,of,verdict\nfever,nan,1\n", "row 2: 'of' is not a number above 0"),
        ("label,of,verdict\nfever,3,1\nfever,,\nfever,,1\n", "row 4: no 'of', which other rows have"),
        ('label,verdict\nfever,1\n"fever,1\n', "row 3: not CSV"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = written(tmp_path, "filled.csv", content)
    with pytest.raises(ValueError) as caught:
        precision(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_columns_of_a_sample_are_quoted(tmp_path: Path) -> None:
    row = {"label": 'a "b", c', "of": 3, "verdict": "1"}
    write_sample([row], tmp_path / "sample.csv")
    with (tmp_path / "sample.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{**row, "of": "3"}]
    assert list(precision(tmp_path / "sample.csv")) == [('a "b", c',), ()]
