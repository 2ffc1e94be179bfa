from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, negex
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

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


def marked(text: str, surface: str, **attributes: str | bool) -> Document:
    """A document whose annotation is the part of the text in angle brackets, which are taken off."""
    start, end = text.index("<"), text.index(">") - 1
    plain = text.replace("<", "").replace(">", "")
    assert plain[start:end] == surface
    return Document("7", plain, (Annotation(start, end, "CONCEPT", ((start, end),), attributes, (), "T1"),))


KIT = {"negation": "Negated", "temporality": "Historical", "experiencer": "Other"}


@pytest.mark.parametrize(
    ("text", "surface", "concept", "sentence"),
    [
        ("No <edema>.", "edema", "edema", None),
        ("No <EDEMA>, edema", "EDEMA", "EDEMA", None),
        ("\U0001d6fc <chest  pain>", "chest  pain", "chest pain", None),
        ("<s/p (MI>)", "s/p (MI", "s/p (MI", None),
        ("lymphedema, <edema>", "edema", "edema", None),
        ("edema; no <edema>", "edema", "edema", "edema; no EDEMA"),
        ("no <edema> but EDEMA", "edema", "edema", "no EDEMA but EDEMA"),
        ("lymph<edema>, edema", "edema", "edema", "lymphEDEMA, edema"),
    ],
)
def test_negex_written(tmp_path: Path, text: str, surface: str, concept: str, sentence: str | None) -> None:
    document = marked(text, surface, **KIT)
    negex.write([document], tmp_path / "f.tsv")
    expected = f"7\t{concept}\t{sentence or document.text}\tNegated\tHistorical\tOther\n"
    assert (tmp_path / "f.tsv").read_bytes().decode() == HEADER + expected
    (back,) = negex.read(tmp_path / "f.tsv")
    assert back.annotations == document.annotations
    assert [loss.what for loss in compare(document, back)] == (["text"] if sentence else [])


@pytest.mark.parametrize(
    ("attributes", "values"),
    [
        ({}, ["Affirmed", "Recent", "Patient"]),
        ({"negated": True}, ["Negated", "Recent", "Patient"]),
        ({"negated": False, "historical": True}, ["Affirmed", "Historical", "Patient"]),
        ({"hypothetical": True, "historical": True}, ["Affirmed", "Hypothetical", "Patient"]),
        ({"negation": "Affirmed", "negated": True}, ["Affirmed", "Recent", "Patient"]),
        ({"negation": True, "experiencer": "family"}, ["Negated", "Recent", "family"]),
        ({"temporality": "Not\tparticular"}, ["Affirmed", "Not particular", "Patient"]),
    ],
)
def test_negex_values(tmp_path: Path, attributes: dict, values: list[str]) -> None:
    negex.write([marked("No <edema>", "edema", **attributes)], tmp_path / "f.tsv")
    assert (tmp_path / "f.tsv").read_text().splitlines()[1].split("\t")[3:] == values


@pytest.mark.parametrize(
    ("annotation", "losses"),
    [
        (RICH.annotations[0], ["white space", "label", "attributes", "concepts"]),
        (RICH.annotations[1], ["white space", "annotation", "added"]),
        (RICH.annotations[2], ["white space", "label", "attributes", "concepts", "id"]),
        (RICH.annotations[4], ["white space", "label", "attributes", "id"]),
    ],
)
def test_negex_losses(tmp_path: Path, annotation: Annotation, losses: list[str]) -> None:
    document = Document(RICH.doc_id, RICH.text, (annotation,))
    negex.write([document], tmp_path / "f.tsv")
    (back,) = negex.read(tmp_path / "f.tsv")
    assert [loss.what for loss in compare(document, back)] == losses
    assert back.text == RICH.text.replace("\n", " ")


@pytest.mark.parametrize(
    ("id_", "document"),
    [
        ("two annotations", PLAIN),
        ("five annotations", RICH),
        ("no annotation", Document("d", "No fever.")),
        ("another in capitals before", marked("EDEMA, no <edema>", "edema")),
        ("white space alone", marked("a< >b", " ")),
        ("no id", Document("", "a", PLAIN.annotations[:1])),
        ("a tab in the id", Document("a\tb", "a", PLAIN.annotations[:1])),
    ],
)
def test_negex_refuses(tmp_path: Path, id_: str, document: Document) -> None:
    with pytest.raises(ValueError, match="document"):
        negex.write([document], tmp_path / "f.tsv")
    assert negex.problem(document) and not (tmp_path / "f.tsv").exists()
