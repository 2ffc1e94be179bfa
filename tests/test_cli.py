"""The commands beside ``extract``, which test_batch.py has."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from spacy.language import Language

import clinspan
from clinspan.corpora import Document, brat, jsonl
from clinspan.sampling import precision, sample_rows
from command import run
from corpus_files import written
from evaluations import TEXT, marks


def test_show(notes: Path, tmp_path: Path) -> None:
    code, out, _ = run("show", notes / "a.txt")
    assert code == 0 and "chest pain" in out and "condition·absent" in out
    code, _, _ = run("show", notes / "a.txt", "--html", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert code == 0 and '<mark tabindex="0" class="absent"' in page and "Denies" in page
    assert "http" not in page and "<script" not in page
    code, out, _ = run("show", "-", stdin="Has <b>fever</b>\n")
    assert code == 0 and "<b>" in out


def test_page_escapes_the_note(nlp: Language) -> None:
    from clinspan.display import Notebook, to_html

    doc = nlp("PLAN: <script>alert(1)</script> & \"fever\" in 'patient'")
    html = to_html(doc)
    assert "<script" not in html and "&lt;script&gt;" in html and "&amp;" in html
    assert html in Notebook(doc)._repr_html_() and "fever" not in repr(Notebook(doc))


def test_version_and_info() -> None:
    assert run("--version") == (0, f"clinspan {clinspan.__version__}\n", "")
    code, out, _ = run("info")
    assert code == 0
    for word in ("spacy", "en_clinspan", "CONDITION", "context rules", "terms", "models"):
        assert word in out


@pytest.mark.parametrize(
    "command", ["", "extract", "show", "info", "evaluate", "convert", "sample", "explain", "check"]
)
def test_help(command: str) -> None:
    code, out, _ = run(*([command] if command else []), "--help")
    assert code == 0 and len(out) > 200


def test_sample_and_precision(notes: Path, tmp_path: Path) -> None:
    run("extract", notes, "-o", tmp_path / "out", "--snippet", 20)
    code, _, err = run("sample", tmp_path / "out", "--n", 4, "--by", "label,assertion", "-o", tmp_path / "s.csv")
    assert code == 0 and "4" in err
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["assertion"] for r in rows} == {"absent", "present"} and all(
        r["snippet"] and not r["verdict"] for r in rows
    )
    assert sample_rows(tmp_path / "out", n=4) == sample_rows(tmp_path / "out", n=4)
    with pytest.raises(ValueError, match="colour"):
        sample_rows(tmp_path / "out", n=4, by=["colour"])
    for row, verdict in zip(rows, ["1", "no", "yes", ""]):
        row["verdict"] = verdict
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = precision(tmp_path / "filled.csv")[()]
    assert (result.judged, result.right) == (3, 2)
    assert result.low < result.precision < result.high
    for command in ("sample", "evaluate"):
        code, out, _ = run(command, "--verdicts", tmp_path / "filled.csv")
        assert code == 0 and "2 of     3  0.800" in out
    (tmp_path / "wrong.csv").write_text("label,verdict\nDRUG,perhaps\n")
    assert run("sample", "--verdicts", tmp_path / "wrong.csv")[0] == 2


def test_explain() -> None:
    code, out, _ = run("explain", "No fever or cough but reports dyspnea. No change in the mass.")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "fever CONDITION absent negated: \u201cNo\u201d N001" in lines
    assert "dyspnea CONDITION present no cue" in lines
    assert "No N001 negated before fever, cough" in lines
    assert any(line.startswith("but T001 all termination") for line in lines)
    assert any(line.startswith("No change in N054") for line in lines)
    assert run("explain", "-", stdin="Has [b]fever[/b]\n")[1].count("[b]") >= 1


RULES = "id\taxis\tvalue\tdirection\tscope\tstops\tlabels\tcues\texamples\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("Z1\tuncertain\t\tbefore\t4\t\t\tsmells like\n", []),
        ("Z1\tuncertain\t\tbefore\t4\t\t\tsmells like\tIt smells like [gout].|Fever? It smells like [gout].\n", []),
        (
            "Z1\tuncertain\t\tbefore\t2\t\t\tsmells like\tIt smells like a very old [gout].|It smells like gout.\n",
            ["Z1 example: 'It smells like a very old [gout].'", "Z1 example: 'It smells like gout.'"],
        ),
        ("Z1\tnegated\t\tpseudo\t\t\t\tno shortage of\tThere was no shortage of [pain].\n", []),
        (
            "Z1\tnegated\t\tpseudo\t\t\t\tno shortage of\tNo fever, no shortage of [pain], no [cough].\n",
            ["Z1 example: 'No fever, no shortage of [pain], no [cough].'"],
        ),
        ("Z1\tnegated\t\tbefore\t\t\t\tdenies\n", ["Z1 duplicate: 'denies' (also N002)", "Z1 silent: 'denies'"]),
        (
            "Z1\thistorical\tstopped\tbefore\t\t\t\thistory of\n",
            ["Z1 contradiction: 'history of' (also P001)", "Z1 silent: 'history of'"],
        ),
    ],
)
def test_check(tmp_path: Path, row: str, expected: list[str]) -> None:
    code, out, err = run("check", written(tmp_path, "mine.tsv", RULES + row))
    assert out.splitlines() == expected
    assert code == (1 if expected else 0) and err


def test_check_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    code, _, err = run("check", tmp_path / "none.tsv")
    assert code == 2 and "none.tsv" in err


def test_our_own_rules_are_clean() -> None:
    code, out, err = run("check")
    assert (code, out) == (0, "") and "nothing wrong" in err


# evaluate


def first_numbers(out: str, name: str) -> Iterator[float]:
    """The numbers of the line that begins with a name, outside of brackets."""
    line = next(line for line in out.splitlines() if line.startswith(name))
    return (float(word) for word in line.split("[")[0].split() if word[0] == "." or word == "1.00")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two documents in BRAT: one with three mentions, one with none."""
    gold = marks(("fever", "CONDITION", {"Negated": True}), ("asthma", "CONDITION"), ("Aspirin", "DRUG"))
    brat.write([Document("a", TEXT, gold), Document("b", "Well.")], tmp_path / "gold")
    return tmp_path / "gold"


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    found = marks(("fever", "CONDITION", {"negated": True}), ("Aspirin", "CONDITION"), ("chest pain", "CONDITION"))
    jsonl.write([Document("a", TEXT, found)], tmp_path / "found.jsonl")
    return tmp_path / "found.jsonl"


def test_evaluate_on_the_demo_notes() -> None:
    code, out, _ = run("evaluate", "demo", "--draws", 20)
    *_, relaxed_f1 = first_numbers(out, "micro")
    assert code == 0 and relaxed_f1 > 0.85
    code, out, _ = run("evaluate", "demo", "--split", "all", "--gold-entities", "--draws", 0)
    *_, f1 = first_numbers(out, "negated")
    assert code == 0 and f1 > 0.9 and "relaxed F1" not in out


def test_evaluate_predictions(corpus: Path, predictions: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", corpus, "--corpus-format", "brat", "--pipeline", predictions, "--draws", 50)
    code, out, err = run(*arguments, "-o", tmp_path / "scores")
    assert code == 0 and "report.html" in err
    assert "2 documents, 3 annotations" in out
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text(encoding="utf-8"))
    assert scores["pipeline"] == str(predictions)
    assert scores["corpus"]["labels"] == ["CONDITION", "DRUG"]
    assert scores["without_predictions"] == 1
    assert scores["scores"]["entities"]["strict"]["CONDITION"]["true_positives"] == 1
    assert scores["scores"]["assertion"]["axes"]["negated"]["true"]["f1"]["value"] == 1
    with (tmp_path / "scores" / "errors.csv").open(encoding="utf-8", newline="") as file:
        found = [(r["kind"], r["gold_text"], r["predicted_text"]) for r in csv.DictReader(file)]
    assert found == [("missed", "asthma", ""), ("label", "Aspirin", "Aspirin"), ("spurious", "", "chest pain")]
    code, out, err = run(*arguments, "--quiet")
    assert (code, out, err) == (0, "", "")
    code, _, err = run(*arguments, "-o", tmp_path / "scores")
    assert code == 2 and "--overwrite" in err
    assert run(*arguments, "-o", tmp_path / "scores", "--overwrite", "-q") == (0, "", "")
    code, _, err = run(*arguments, "--terms", "mine.csv")
    assert code == 2 and "are for pipelines" in err


def test_evaluate_names_what_was_added(tmp_path: Path) -> None:
    terms = written(tmp_path, "mine.csv", "term,label\nzzz,DRUG\n")
    code, out, _ = run("evaluate", "demo", "--draws", 0, "--terms", terms, "--exclude", "abbreviations")
    assert code == 0 and "without abbreviations, with mine.csv on demo all" in out.splitlines()[0]


def test_evaluate_names_attributes_it_does_not_know(tmp_path: Path) -> None:
    gold = marks(("fever", "CONDITION", {"Certainty": "low"}))
    brat.write([Document("a", TEXT, gold)], tmp_path / "gold")
    code, _, err = run("evaluate", tmp_path / "gold", "--corpus-format", "brat", "--draws", 0)
    assert code == 0 and "no axes: Certainty" in err
    code, _, err = run("evaluate", tmp_path / "gold", "--corpus-format", "brat", "--gold-entities")
    assert code == 2 and "says nothing of its spans" in err


def test_evaluate_against(corpus: Path, predictions: Path) -> None:
    code, out, _ = run(
        *("evaluate", corpus, "--corpus-format", "brat", "--draws", 20, "--rounds", 20),
        *("--against", predictions, "--labels", "CONDITION"),
    )
    assert code == 0 and f"less {predictions}\n" in out and "DRUG" not in out
    assert "+.400" in next(line for line in out.splitlines() if line.startswith("strict CONDITION"))


def test_evaluate_agreement_of_two_annotators(corpus: Path, tmp_path: Path) -> None:
    other = marks(("fever", "CONDITION"), ("asthma", "CONDITION", {"Negated": True}), ("Aspirin", "DRUG"))
    brat.write([Document("a", TEXT, other), Document("b", "Well.")], tmp_path / "other")
    code, out, _ = run("evaluate", corpus, "--corpus-format", "brat", "--pipeline", tmp_path / "other", "--draws", 0)
    # each says of one of three what the other says of another: observed 1/3, by chance 5/9
    assert code == 0 and "Cohen's kappa: negated -0.500" in out


def test_evaluate_a_pipeline_with_its_own_labels(corpus: Path, tmp_path: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "DISEASE", "pattern": "asthma"}])  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "ruler")
    arguments = ("evaluate", corpus, "--corpus-format", "brat", "--pipeline", tmp_path / "ruler", "--draws", 0)
    code, out, _ = run(*arguments, "--label-map", "DISEASE=CONDITION")
    assert code == 0
    assert list(first_numbers(out, "CONDITION"))[-2:] == [pytest.approx(2 / 3, abs=1e-3)] * 2
    assert "says nothing of them: negated" in out
    assert run(*arguments, "--label-map", "DISEASE")[0] == 2
    code, _, err = run(*arguments)
    assert code == 0 and "--label-map maps those predicted: DISEASE" in err
    code, out, _ = run(*arguments, "--corpus-map", "CONDITION=DISEASE")
    assert code == 0 and list(first_numbers(out, "DISEASE"))[-1] == pytest.approx(2 / 3, abs=1e-3)
    code, _, err = run(*arguments, "--spans", "sc")
    assert code == 2 and "'sc'" in err


def test_evaluate_takes_gold_spans_where_no_label_is_marked(tmp_path: Path) -> None:
    header = "row\tconcept\tsentence\tnegation\ttemporality\texperiencer\n"
    written(tmp_path, "dev.tsv", header + "1\tedema\tNo EDEMA.\tNegated\tRecent\tPatient\n")
    code, out, err = run("evaluate", "negex", "--data", tmp_path)
    assert code == 0 and "gold spans" in err
    assert list(first_numbers(out, "negated"))[-1] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--verdicts"),
        (["no_such_corpus"], "no_such_corpus"),
        (["demo", "--split", "test"], "no split 'test'"),
        (["demo", "--labels", "DRUG,DISEASE"], "DISEASE"),
        (["demo", "--pipeline", "no_such_pipeline"], "no_such_pipeline"),
        (["primock57", "--data", "."], "no file matches"),
        (["demo", "--corpus-format", "word"], "not a format"),
        (["demo", "--verdicts", "x.csv"], "not both"),
        (["demo", "--corpus-map", "A=B"], "--corpus-map"),
        (["demo", "--corpus-format", "brat", "--split", "dev"], "--split"),
        (["demo", "--gold-entities", "--spans", "sc"], "--spans"),
        (["demo", "--attribute", "negex"], "THEIRS=OURS"),
        (["med1250", "--gold-entities", "--data", "."], "no file matches"),
    ],
)
def test_evaluate_refuses(arguments: list[str], message: str) -> None:
    code, _, err = run("evaluate", *arguments)
    assert code == 2 and message in err and "Traceback" not in err, err


# convert


def test_convert(corpus: Path, tmp_path: Path) -> None:
    code, out, err = run("convert", corpus, tmp_path / "c.jsonl")
    assert (code, out) == (0, "") and err.startswith("2 documents")
    code, _, err = run("convert", tmp_path / "c.jsonl", tmp_path / "c.conll", "--losses", tmp_path / "lost.csv")
    assert code == 1 and "attributes missing" in err
    with (tmp_path / "lost.csv").open(newline="") as file:
        rows = [(r["doc_id"], r["what"]) for r in csv.DictReader(file)]
    assert ("a", "attributes") in rows
    assert run("convert", tmp_path / "c.jsonl", tmp_path / "c.conll")[0] == 2  # is there already
    assert run("convert", tmp_path / "c.jsonl", tmp_path / "c.conll", "--overwrite", "--quiet") == (1, "", "")


def test_convert_refuses(corpus: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((corpus, tmp_path / "c.unknown"), "--to"),
        ((tmp_path / "none.jsonl", tmp_path / "c.jsonl"), "no such file"),
        ((corpus, tmp_path / "c", "--to", "phee"), "read only"),
        ((corpus, tmp_path / "c.jsonl", "--from", "docbin"), "no file matches"),
    ):
        code, _, err = run("convert", *arguments)
        assert code == 2 and message in err, (arguments, err)
    assert not list(tmp_path.glob("c*"))
