"""Texts without annotations: PriMock57's notes, tables of notes such as MTSamples, text files.

``.json`` (PriMock57, Papadopoulos Korfiatis et al. 2022): an object whose ``note`` is the text; the id is the file's
stem. ``.csv``: a row is a document, from the columns ``note_id`` and ``text``; others are passed over. Any other file
is itself the text, and its stem the id.

They are for running a pipeline on, for measuring its speed and for reading what it finds; nothing is scored on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinspan.corpora.model import CorpusError, Document, read_text
from clinspan.corpora.sections import rows
from clinspan.corpora.tagged_json import json_object


def read(path: Path) -> Iterator[Document]:
    """The texts of the file, line ends as in the file.

    Raises:
        CorpusError: for a file that is not UTF-8, a ``.json`` that is not an object with a string ``note``, and what
            :func:`clinspan.corpora.sections.rows` refuses of a ``.csv``.
    """
    path = Path(path)
    if path.suffix == ".csv":
        for _, row in rows(path, ("note_id", "text")):
            yield Document(row["note_id"], row["text"])
    elif path.suffix == ".json":
        note = json_object(read_text(path), path, 0).get("note")
        if not isinstance(note, str):
            raise CorpusError(path, 0, "note is not a string")
        yield Document(path.stem, note)
    else:
        yield Document(path.stem, read_text(path))
