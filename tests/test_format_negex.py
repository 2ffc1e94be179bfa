from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, negex
from corpus_files import written

HEADER = "row\tconcept\tsentence\tnegation\ttemporality\texperiencer\n"


@pytest.mark.parametrize(
    ("concept", "sentence", "expected"),
    [
        ("edema", "No cyanosis or EDEMA.", (15, 20)),
        ("edema", "edema before, EDEMA now", (14, 19)),
        ("edema", "LYMPHEDEMA and EDEMA", (15, 20)),
        ("edema", "LYMPHEDEMA only", (5, 10)),
        ("Edema", "no edema", (3, 8)),
        ("edema", "lymphedema, edema", (12, 17)),
        ("chest  pain", "No CHEST   \tPAIN", (3, 16)),
        ("s/p (MI)", "is S/P (MI).", (3, 11)),
        ("edema", "no rales", None),
        ("", "no rales", None),
    ],
)
def test_negex_find_concept(concept: str, sentence: str, expected: tuple[int, int] | None) -> None:
    assert negex.find_concept(concept, sentence) == expected


def test_negex(tmp_path: Path) -> None:
    rows = "7\tedema\tNo EDEMA.\tNegated\tRecent\tPatient\n9\trales\tClear.\tAffirmed\tHistorical\tOther\n"
    path = written(tmp_path, "dev.tsv", HEADER + rows)
    first, second = negex.read(path)
    attributes = {"negation": "Negated", "temporality": "Recent", "experiencer": "Patient"}
    assert first == Document("7", "No EDEMA.", (Annotation(3, 8, "CONCEPT", ((3, 8),), attributes, (), "T1"),))
    assert second == Document("9", "Clear.")
    assert negex.excluded(path) == ["9"]


@pytest.mark.parametrize(
    ("content", "line"),
    [("", 1), ("row\tconcept\n", 1), (HEADER + "1\tedema\tNo EDEMA.\tNegated\n", 2)],
)
def test_negex_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(negex.read(written(tmp_path, "dev.tsv", content)))
    assert caught.value.line == line
