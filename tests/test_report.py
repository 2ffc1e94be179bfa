from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clinspan.corpora import Annotation, Document
from clinspan.evaluate import Error, run
from clinspan.report import FILES, to_page, to_terminal, write
from evaluations import GOLD, TEXT, marks, system

REPORT, EVALUATION = run(
    GOLD, system("good", 15), against=system("bad", 3), draws=50, rounds=50, command="x --data <y>"
)


def shape(value: Any) -> Any:
    """Keys and types, for what is stable of the schema."""
    if isinstance(value, Mapping):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__


def test_the_schema_of_scores() -> None:
    interval = {"value": "float", "low": "float", "high": "float"}
    row = {
        **dict.fromkeys(("gold", "predicted", "true_positives", "true_positives_predicted"), "int"),
        **dict.fromkeys(("precision", "recall", "f1"), interval),
    }
    found = shape(REPORT)
    assert set(found) == {
        *("schema", "versions", "command", "corpus", "pipeline", "without_predictions", "settings", "scores", "against")
    }
    assert set(found["scores"]) == {"entities", "assertion", "linking", "confusion", "errors"}
    assert set(found["scores"]["entities"]) == {"strict", "relaxed", "partial"}
    assert found["scores"]["entities"]["strict"]["CONDITION"] == row
    assert set(found["scores"]["assertion"]) == {"spans", "entities", "axes", "kappa"}
    assert found["scores"]["assertion"]["axes"]["negated"]["true"].keys() == row.keys()
    assert set(found["against"]) == {"pipeline", "without_predictions", "scores", "differences"}
    assert found["against"]["differences"]["entities"]["strict"]["micro"]["f1"] == {**interval, "p": "float"}


def test_write(tmp_path: Path) -> None:
    write(REPORT, EVALUATION.errors, GOLD.documents, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8")) == REPORT
    with (tmp_path / "out" / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(EVALUATION.errors) == sum(REPORT["scores"]["errors"].values())
    texts = {d.doc_id: d.text for d in GOLD.documents}
    for row in rows:
        for side in ("gold", "predicted"):
            if row[f"{side}_start"]:
                start, end = int(row[f"{side}_start"]), int(row[f"{side}_end"])
                assert texts[row["note_id"]][start:end] == row[f"{side}_text"]
    assert (tmp_path / "out" / "report.html").stat().st_size > 5000


def test_write_all_or_nothing(tmp_path: Path) -> None:
    write(REPORT, EVALUATION.errors, GOLD.documents, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        write({**REPORT, "command": "other"}, (), GOLD.documents, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write({**REPORT, "command": "other"}, (), GOLD.documents, tmp_path, overwrite=True)
    assert json.loads((tmp_path / "scores.json").read_text())["command"] == "other"
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_ids_that_are_not_unicode_are_written(tmp_path: Path) -> None:
    error = Error("caf\udce9", "missed", 0, 2, 0, 2, "C", "No")
    write(REPORT, [error], [Document("caf\udce9", "No")], tmp_path)
    assert "caf\\udce9" in (tmp_path / "errors.csv").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_page_in_a_browser(tmp_path: Path) -> None:
    """The script runs: the list is there, and a filter narrows it."""
    content = to_page(REPORT, EVALUATION.errors, GOLD.documents)
    kinds = [error.kind for error in EVALUATION.errors]
    for change, expected in (("", len(kinds)), ("form.kind.value = 'missed'; filter();", kinds.count("missed"))):
        page = tmp_path / "page.html"
        page.write_text(content.replace("</script>\n</body>", change + "</script>\n</body>"), encoding="utf-8")
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        shown = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
        assert shown.stdout.count('class="error"') == min(expected, 50)
        assert f">{expected} of {len(kinds)}<" in shown.stdout


class Page(HTMLParser):
    """What a page refers to, and its scripts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts.append(data)


def errors_of(content: str) -> list[list[Any]]:
    found = re.search(r"^const errors = (.*);$", content, re.MULTILINE)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_page_refers_to_nothing_outside() -> None:
    content = to_page(REPORT, EVALUATION.errors, GOLD.documents)
    page = Page(content)
    assert page.references == [] and "link" not in page.tags and "img" not in page.tags
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", content)
    assert "default-src 'none'" in content
    assert page.tags.count("script") == 1 and "@@" not in content


def test_page_shows_scores_and_escapes_what_it_is_given() -> None:
    content = to_page(REPORT, EVALUATION.errors, GOLD.documents)
    assert "x --data &lt;y&gt;" in content
    for heading in ("Entities", "Assertion", "Less bad", "Confusion"):
        assert f"<h2>{heading}</h2>" in content
    assert content.count('class="bar strict"') == 4  # two labels, micro, macro


def test_errors_in_the_page_have_their_context() -> None:
    rows = errors_of(to_page(REPORT, EVALUATION.errors, GOLD.documents))
    assert len(rows) == len(EVALUATION.errors)
    for row, error in zip(rows, EVALUATION.errors, strict=True):
        assert row[:4] == [error.note_id, error.kind, error.start, error.end]
        for span, surface in ((row[10], error.gold_text), (row[11], error.predicted_text)):
            assert (row[9][slice(*span)] if span else "") == surface


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script> fever", "@@KINDS@@ fever", "\u2028\U0001d6fc fever"]
)
def test_text_cannot_break_out_of_the_script(text: str) -> None:
    start = text.index("fever")
    error = Error("</script>", "missed", start, start + 5, start, start + 5, "C", "fever")
    content = to_page(REPORT, [error], [Document("</script>", text)])
    assert Page(content).tags.count("script") == 1
    ((note, *_, shown, gold, predicted),) = errors_of(content)
    assert (note, shown, shown[slice(*gold)], predicted) == ("</script>", text, "fever", None)


def test_context_ends_between_words() -> None:
    text = "word " * 40 + "fever" + " word" * 40
    start = text.index("fever")
    error = Error("a", "missed", start, start + 5, start, start + 5, "C", "fever")
    ((*_, shown, _, _),) = errors_of(to_page(REPORT, [error], [Document("a", text)]))
    assert 160 < len(shown) <= 185 and set(shown.split()) == {"word", "fever"}
    (row,) = errors_of(to_page(REPORT, [error], [Document("a", text.replace(" ", "x"))]))
    assert row[9][slice(*row[10])] == "fever"


def terminal(report: Mapping[str, Any], width: int = 80) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        for part in to_terminal(report):
            console.print(part)
    return capture.get()


def test_terminal_fits_a_narrow_one() -> None:
    shown = terminal(REPORT)
    lines = [line.rstrip() for line in shown.splitlines()]
    assert lines[0] == "good on corpus dev: 20 documents, 60 annotations"
    (drug,) = (line for line in lines if line.startswith("DRUG"))
    assert re.fullmatch(r"DRUG +20 +15 +1\.00 +\.750 +\.857 \[\.\d{3}, (\.\d{3}|1\.00)\] +\.857 \[.*\]", drug)
    assert any(line.startswith("negated  true") for line in lines)
    assert any(re.match(r"strict micro +\+\.\d{3} \[\+\.\d{3}, \+\.\d{3}\] +\.?\d", line) for line in lines)


def test_labels_that_look_like_markup() -> None:
    gold = replace(GOLD, documents=tuple(d for d in GOLD.documents), labels=("[/red]", "X[old]"))
    report, _ = run(gold, replace(system("x", 20), documents=GOLD.documents), draws=0)
    shown = terminal(report)
    assert "[/red]" in shown and "X[old]" in shown


def test_terminal_names_annotations_that_are_not_of_their_text() -> None:
    odd = replace(GOLD.documents[0], mismatched=("T1",))
    report, _ = run(replace(GOLD, documents=(odd, *GOLD.documents[1:])), system("x", 20), draws=0)
    assert "1 annotations are not of the text at their offsets" in terminal(report)
    assert f"{odd.doc_id} T1" in terminal(report)


def test_terminal_says_what_was_not_scored() -> None:
    report, _ = run(GOLD, replace(system("x", 20), axes=()), draws=0)
    assert "says nothing of them: negated" in " ".join(terminal(report).split())


def test_terminal_without_intervals_entities_or_comparison() -> None:
    report, _ = run(replace(GOLD, labels=()), system("x", 20), given=True, draws=0)
    shown = terminal(report)
    assert "negated  true     20  1.00  1.00  1.00" in shown
    assert "entities\n" not in shown and "Less" not in shown
    report, _ = run(replace(GOLD, axes=()), replace(system("x", 20), documents=[]), draws=10)
    assert "DRUG" in terminal(report) and "assertion on" not in terminal(report)


def test_discontinuous_errors_have_both_ends() -> None:
    mention = Annotation(3, 28, "CONDITION", ((3, 8), (21, 27)), {}, (), "T1")
    gold = replace(GOLD, documents=(Document("a", TEXT, (mention,)),), axes=(), unit="")
    report, evaluation = run(gold, replace(system("x", 0), documents=[Document("a", TEXT, marks(("had", "DRUG")))]))
    assert report["corpus"]["discontinuous"] == 1
    row = errors_of(to_page(report, evaluation.errors, gold.documents))[0]
    assert row[9][slice(*row[10])] == TEXT[3:28]
