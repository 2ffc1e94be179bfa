"""Texts without annotations: PriMock57's notes, tables of notes such as MTSamples, text files.

``.json`` (PriMock57, Papadopoulos Korfiatis et al. 2022): an object whose ``note`` is the text; the id is the file's
stem. ``.csv``: a row is a document, from the columns ``note_id`` and ``text``; others are passed over. Any other file
is itself the text, and its stem the id.

They are for running a pipeline on, for measuring its speed and for reading what it finds; nothing is scored on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinspan.corpora._files import Malformed, csv_rows, member, parse_json
from clinspan.corpora.model import CorpusError, Document, read_text


def read(path: Path) -> Iterator[Document]:
    """The texts of the file, line ends as in the file.

    Raises:
        CorpusError: for a file that is not UTF-8, a ``.json`` that is not an object with a string ``note``, and a
            ``.csv`` that is not a table with these columns.
    """
    path = Path(path)
    if path.suffix == ".csv":
        for _, row in csv_rows(path, ("note_id", "text")):
            yield Document(row["note_id"], row["text"])
    elif path.suffix == ".json":
        try:
            yield Document(path.stem, member(parse_json(read_text(path), path, 0), "note", str))
        except Malformed as error:
            raise CorpusError(path, 0, str(error)) from None
    else:
        yield Document(path.stem, read_text(path))
