"""The scripts on a small case."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clinspan
import tagging
from command import run as command_line

SCRIPTS = Path(__file__).parents[1] / "scripts"


def run(script: str, *arguments: object, **environment: str) -> str:
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    variables = {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout


@pytest.fixture(scope="module")
def own_indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own vocabulary alone: what can be built without data from elsewhere."""
    folder = tmp_path_factory.mktemp("indexes")
    out = run("build_terminology.py", "--output", folder)
    assert '"names"' in out and "CONDITION clinspan" in out
    return folder


def test_build_is_reproducible(own_indexes: Path, tmp_path: Path) -> None:
    run("build_terminology.py", "--output", tmp_path, PYTHONHASHSEED="7")
    for name in ("terms.index", "concepts.index"):
        assert (tmp_path / name).read_bytes() == (own_indexes / name).read_bytes()


def test_build_pipeline(own_indexes: Path, tmp_path: Path) -> None:
    assert "en_clinspan" in run("build_pipeline.py", "--indexes", own_indexes, "--output", tmp_path / "pipe")
    doc = clinspan.load(tmp_path / "pipe")("Denies sob, on lisinopril.")
    assert [(e.text, e._.assertion) for e in doc.spans["entities"]] == [("sob", "absent"), ("lisinopril", "present")]
    assert [e._.candidates[0].vocabulary for e in doc.spans["entities"]] == ["clinspan", "clinspan"]


def test_names_to_judge_and_judged(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("note_id,text\n1,No fever. No fever.\n2,Asthma.\n")
    rows = run("frequent_names.py", tmp_path / "n.csv", "--top", 5).splitlines()
    assert rows[1].startswith("fever,CONDITION,") and rows[1].endswith(",2,,,") and len(rows) == 3
    (tmp_path / "v.csv").write_text("\n".join([rows[0], rows[1][:-3] + ",1,0,"]))
    out = run("frequent_names.py", tmp_path / "n.csv", "--verdicts", tmp_path / "v.csv")
    assert "entity  1 names right, 1.000" in out and "code    0 names right, 0.000" in out and "1 of the 2" in out


def test_coverage_prints() -> None:
    assert "| demo all | all | 1,811 | 0." in run("coverage.py", "demo")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A stand-in for the folder of terminologies and corpora."""
    (tmp_path / "terms").mkdir()
    with lzma.open(tmp_path / "terms" / "a.tsv.xz", "wt", encoding="utf-8") as file:
        file.write("concept_id\tterm\tkind\n1\theart failure\tPREF\n2\tgout\tPREF\n")
    folder = tmp_path / "corpora" / "bc5cdr"
    folder.mkdir(parents=True)
    text = "1|t|Gout and aloofness.\n1|a|\n1\t0\t4\tGout\tDisease\tD006073\n1\t9\t18\taloofness\tDisease\t-1\n\n"
    (folder / "dev.PubTator.txt").write_text(text)
    return tmp_path


def test_benchmark_of_terms_prints(data: Path) -> None:
    (data / "n.csv").write_text("note_id,text\n1,Acute gout and heart failure.\n")
    options = ["--names", 10, "--repeats", 1, "--data", data, "--only", "clinspan,quickumls,PhraseMatcher"]
    out = run("benchmark_terms.py", data / "n.csv", *options)
    assert [line.split(" | ")[-1] for line in out.splitlines()[2:]] == ["3 |", "5 |", "3 |"]


def test_benchmark_of_linking_prints(data: Path) -> None:
    out = run("benchmark_linking.py", "--calibration", CLINSPAN_DATA=str(data))
    assert "| bc5cdr dev | CONDITION | 2 | 1.000 [" in out and "| 0.500 [" in out and "| score |" in out


@pytest.mark.parametrize("mode", [[], ["--lengths"], ["--components"]])
def test_benchmark_prints(tmp_path: Path, mode: list[str]) -> None:
    (tmp_path / "n.csv").write_text("note_id,text\n1,Denies chest pain.\n2,No fever.\n")
    out = run("benchmark_speed.py", tmp_path / "n.csv", "--repeats", 1, *mode)
    assert {0: "ratio", 1: "characters"}.get(len(mode) and 1 + (mode[0] == "--components"), "context") in out


def test_benchmark_of_scoring_prints() -> None:
    out = run("benchmark_evaluate.py", "--documents", 5, "--mentions", 10, "--draws", 10, "--rounds", 10)
    assert "scores and intervals" in out and "with a comparison" in out


def test_results_prints_tables() -> None:
    out = run("results.py", "demo", "--draws", 5)
    assert "| demo all | micro | 1,811 |" in out and "| demo all | experiencer family | 36 |" in out


def test_assertion_without_peers() -> None:
    out = run("benchmark_assertion.py", "demo", "--peers", "none", "--limit", 6, "--draws", 5, "--repeats", 1)
    assert "| demo all | negated | ." in out and f"| demo all | clinspan {clinspan.__version__} |" in out


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for an environment is a shell script")
def test_assertion_with_a_peer(tmp_path: Path) -> None:
    """A stand-in for negspaCy, in what looks like its environment, calls negated what comes after "no"."""
    (tmp_path / "negspacy-0.7.dist-info").mkdir()
    (tmp_path / "negspacy-0.7.dist-info" / "METADATA").write_text("Name: negspacy\nVersion: 0.7\n")
    (tmp_path / "negspacy").mkdir()
    (tmp_path / "negspacy" / "negation.py").write_text(
        """
from spacy.language import Language
from spacy.tokens import Span

@Language.factory("negex")
def make(nlp, name, span_keys: list):
    Span.set_extension("negex", default=False)
    def negex(doc):
        for span in doc.spans[span_keys[0]]:
            span._.negex = span.start > 0 and doc[span.start - 1].lower_ == "no"
        return doc
    return negex
"""
    )
    python = tmp_path / "environments" / "negspacy" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    options = ["--limit", 6, "--draws", 5, "--repeats", 1, "--environments", tmp_path / "environments"]
    out = run("benchmark_assertion.py", "demo", "--peers", "negspacy", *options)
    negated = next(line for line in out.splitlines() if line.startswith("| demo all | negated |"))
    assert ", p " in negated and "| demo all | negspacy 0.7 |" in out


# --- training the network ---


def training_data(folder: Path) -> Path:
    """A corpus, notes and open text, all invented and small."""
    own = folder / "corpora" / "own"
    own.mkdir(parents=True)
    spec = {"name": "own", "format": "jsonl", "splits": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]}}
    spec |= {"labels": {"CONDITION": "CONDITION", "DRUG": "DRUG"}, "marked": ["CONDITION", "DRUG"]}
    (own / "spec.json").write_text(json.dumps({**spec, "licence": "none", "url": ""}))
    for split, seed, count in (("train", 1, 200), ("dev", 2, 40)):
        lines = []
        for i, s in enumerate(tagging.sentences(count, seed)):
            tail = " And nothing else at all was said of it today ." if split == "dev" else ""
            text = " ".join(s.words) + tail
            spans = [
                {"start": text.index(w), "end": text.index(w) + len(w), "label": tagging.LABELS[column]}
                for column in range(2)
                for w, tag in zip(s.words, s.tags[:, column])
                if tag
            ]
            lines.append(json.dumps({"id": f"{split}{i}", "text": text, "entities": spans}))
        (own / f"{split}.jsonl").write_text("\n".join(lines))
    for corpus, header, text in (
        ("mtsamples/notes.csv", "note_id,text", "1,Nothing to see here at all today in the clinic or out of it."),
        ("aci_bench/train.csv", "encounter_id,note", "1,He has asthma and takes aspirin . She has zorbax ."),
        ("mts_dialog/train.csv", "ID,section_text", "1,No fever ."),
    ):
        path = folder / "corpora" / corpus
        path.parent.mkdir()
        path.write_text(f"{header}\n{text}\n")
    (folder / "text").mkdir()
    with lzma.open(folder / "text" / "fda_maude_2007.txt.xz", "wt") as out:
        out.write("The pump has failed and she takes aspirin for it .\n" * 40)
        dev = json.loads((own / "dev.jsonl").read_text().splitlines()[0])["text"]
        out.write(f"{dev}\n")
    return folder


def test_training_from_text_to_weights(own_indexes: Path, tmp_path: Path) -> None:
    data = training_data(tmp_path / "data")
    config = json.loads((SCRIPTS / "train" / "config.json").read_text())
    config |= {"labels": ["CONDITION", "DRUG", "DEVICE"], "hidden": [12], "corpora": {"own": 1.0}, "epochs": 6}
    config |= {"teacher_epochs": 6, "thresholds": {}, "vectors": {"invented": True, "rows": 200, "width": 8}}
    config["pretraining"] |= {"words": 3000, "workers": 2, "tokens": 200, "epochs": 3}
    config["training"] |= {"tokens": 120, "rate": 0.01, "dropout": 0.1, "average": 0.9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    arguments = ["--data", data, "--config", tmp_path / "config.json", "--indexes", own_indexes]
    out = run("train/run.py", *arguments, "--open-indexes", own_indexes, "--output", tmp_path / "out")
    assert "fda_maude_2007: 40 paragraphs" in out and "1 left out" in out  # a development document
    assert "teacher.npz:" in out and "notes: " in out and "own: 200 sentences" in out
    assert float(out.split("own ")[-1].split()[0]) > 0.9  # the last epoch's F1
    again = run("train/run.py", *arguments, "--output", tmp_path / "out")
    assert "ner.weights: there already" in again and "epoch" not in again
    weights = tmp_path / "out" / "ner.weights"
    run("build_pipeline.py", "--indexes", own_indexes, "--weights", weights, "--output", tmp_path / "pipe")
    nlp = clinspan.load(tmp_path / "pipe")
    doc = nlp("She has zorfen and takes mintul .")
    found = [(e.text, e.label_, e._.source) for e in doc.spans["entities"]]
    assert found == [("zorfen", "CONDITION", "ner"), ("mintul", "DRUG", "ner")]
    assert nlp.meta["sha256"]["ner.weights"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_the_dockerfile_asks_for_what_there_is() -> None:
    """No engine is needed: its extras are the package's, its command line is the command's, its user has no rights."""
    lines = (SCRIPTS / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = {line.split()[0]: line for line in lines if line and not line.startswith("#")}
    extras = re.findall(r"/src\[([\w,]+)\]", words["RUN"])[0].split(",")
    project = (SCRIPTS.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert extras and all(re.search(rf"^{extra} = ", project, re.M) for extra in extras)
    command = json.loads(words["ENTRYPOINT"].removeprefix("ENTRYPOINT ")) + json.loads(
        words["CMD"].removeprefix("CMD ")
    )
    assert command[0] == "clinspan"
    code, out, _ = command_line(command[1], "--help")
    assert code == 0 and all(option in out for option in command if option.startswith("--"))
    assert words["USER"].split()[1] not in ("root", "0")


def test_benchmark_of_batch_runs(tmp_path: Path) -> None:
    notes = tmp_path / "n.txt"
    notes.write_text("No fever.\nHistory of asthma.\nCough.\n")
    address = f"sqlite:///{tmp_path / 'x.db'}"
    out = run("benchmark_batch.py", notes, "--at", 5, "--workers", 1, "--into", address)
    assert "| 5 | 1 |" in out
    kinds = [line.split("|")[1].strip() for line in out.splitlines()[-4:]]
    assert kinds == ["parquet", "csv", "jsonl", "sqlite"]
    rows = {line.split("|")[2].strip() for line in out.splitlines()[-4:]}
    assert len(rows) == 1 and int(rows.pop()) >= 8


def test_a_disturbed_run(tmp_path: Path) -> None:
    """Workers and the run are killed, a file is damaged and one not there: the tables are those of a run left alone."""
    notes = tmp_path / "notes.jsonl"
    notes.write_text(
        "".join(json.dumps({"id": f"n{i}", "text": f"{i} days of cough, no fever."}) + "\n" for i in range(4000))
    )
    out = run("chaos_batch.py", notes, "--kills", 3, "--restarts", 1, "--every", 3, "--exclude", "ner")
    assert "the run is killed" in out and "NOT" not in out
    rows = dict(line.split(": ") for line in out.splitlines() if line.endswith("the same"))
    assert {"entities", "notes", "sections", "errors"} == set(rows) and rows["errors"] == "2 rows, the same"
