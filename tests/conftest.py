from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from spacy.language import Language

import clinspan


@pytest.fixture(scope="session")
def nlp() -> Language:
    """The bundled pipeline. Tests do not change it; those that do load their own."""
    return clinspan.load()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of four notes, two of them nested, one compressed, one empty."""
    folder = tmp_path / "notes"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "a.txt").write_text("Denies chest pain.", encoding="utf-8")
    (folder / "deep/b.txt").write_bytes("No œdema, has fever\0".encode())
    (folder / "deep/er/c.txt.gz").write_bytes(gzip.compress(b"Cough \xe9 and wheezing"))
    (folder / "empty.txt").write_text("")
    return folder
