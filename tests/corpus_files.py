"""Small files and documents for the tests of corpus formats."""

from __future__ import annotations

from pathlib import Path

from clinspan.corpora import Annotation, Document

#: All that a format may be asked to hold: two lines, characters beyond ASCII and beyond the first plane, a
#: discontinuous mention, nested ones, two labels on the same offsets, attributes, codes, a relation.
RICH = Document(
    "note-1",
    "Denies fever \U0001d6fc.\nLeft and right knee pain; father had MI (\u00b5 tear).\n",
    (
        Annotation(7, 12, "CONDITION", ((7, 12),), {"Negated": True}, ("HP:0001945",), "T1"),
        Annotation(16, 40, "CONDITION", ((16, 20), (31, 40)), {}, (), "T2"),
        Annotation(31, 35, "ANATOMY", ((31, 35),), {}, ("UBERON:0001465", "MESH:D007717"), "T3"),
        Annotation(53, 55, "CONDITION", ((53, 55),), {"Experiencer": "family", "Historical": True}, (), "T4"),
        Annotation(53, 55, "OBSERVATION", ((53, 55),), {}, (), "T5"),
    ),
    (("located", "T2", "T3"),),
)

#: What every format can hold: continuous mentions that do not overlap, one space between the words.
PLAIN = Document(
    "note-2",
    "No fever or chills .",
    (
        Annotation(3, 8, "CONDITION", ((3, 8),), {}, (), "T1"),
        Annotation(12, 18, "CONDITION", ((12, 18),), {}, (), "T2"),
    ),
)


def written(folder: Path, name: str, content: str) -> Path:
    """A file with this content, as UTF-8 without newline translation."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path
