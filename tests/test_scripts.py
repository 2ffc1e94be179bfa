"""The scripts on a small case."""

from __future__ import annotations

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
