from __future__ import annotations

import pytest
from spacy.language import Language

import clinspan


@pytest.fixture(scope="session")
def nlp() -> Language:
    """The bundled pipeline. Tests do not change it; those that do load their own."""
    return clinspan.load()
