"""The scripts on a small case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import clinspan

SCRIPTS = Path(__file__).parents[1] / "scripts"


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def own_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own vocabulary alone: what can be built without data from elsewhere."""
    path = tmp_path_factory.mktemp("index") / "terms.index"
    out = run("build_terminology.py", "--output", path)
    assert '"names"' in out and "CONDITION clinspan" in out
    return path


def test_build_is_reproducible(own_index: Path, tmp_path: Path) -> None:
    run("build_terminology.py", "--output", tmp_path / "again.index")
    assert (tmp_path / "again.index").read_bytes() == own_index.read_bytes()


def test_build_pipeline(own_index: Path, tmp_path: Path) -> None:
    assert "en_clinspan" in run("build_pipeline.py", "--index", own_index, "--output", tmp_path / "pipe")
    doc = clinspan.load(tmp_path / "pipe")("Denies sob, on lisinopril.")
    assert [(e.text, e._.assertion) for e in doc.spans["entities"]] == [("sob", "absent"), ("lisinopril", "present")]


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
