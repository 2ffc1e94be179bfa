"""Labels, assertion values and the columns of every table. Imports nothing of ours.

The definitions are those of the project's annotation guidelines; they follow NegEx (Chapman et al. 2001),
ConText (Harkema et al. 2009) and the i2b2/VA 2010 assertion categories, with the differences stated in the README.
"""

from __future__ import annotations

from dataclasses import dataclass

LABELS: tuple[str, ...] = ("CONDITION", "DRUG", "PROCEDURE", "MEASUREMENT", "ANATOMY", "DEVICE", "OBSERVATION")

#: Axes on which an entity is judged, in the order of the tables' columns.
FLAGS: tuple[str, ...] = ("negated", "uncertain", "hypothetical", "historical", "allergy")
EXPERIENCERS: tuple[str, ...] = ("patient", "family", "other")
ASSERTIONS: tuple[str, ...] = (
    "present",
    "absent",
    "possible",
    "hypothetical",
    "historical",
    "allergy",
    "family",
    "other",
)


def assertion(
    *,
    negated: bool = False,
    uncertain: bool = False,
    hypothetical: bool = False,
    historical: bool = False,
    allergy: bool = False,
    experiencer: str = "patient",
) -> str:
    """The one value that sums up the axes, one of :data:`ASSERTIONS`.

    Precedence: family/other > allergy > hypothetical > possible > absent > historical > present.
    """
    if experiencer != "patient":
        return experiencer
    if allergy:
        return "allergy"
    if hypothetical:
        return "hypothetical"
    if uncertain:
        return "possible"
    if negated:
        return "absent"
    return "historical" if historical else "present"


def exists(
    *,
    negated: bool = False,
    uncertain: bool = False,
    hypothetical: bool = False,
    historical: bool = False,
    allergy: bool = False,
    experiencer: str = "patient",
) -> bool:
    """Whether the note says the patient has (had) it: patient, and not negated, uncertain, hypothetical or an allergy.

    ``historical`` does not clear it: chronic diseases live in past-history sections.
    """
    return experiencer == "patient" and not (negated or uncertain or hypothetical or allergy)


@dataclass(frozen=True)
class Column:
    """A column of an output table; ``type`` names an Arrow type (``list<cue>``: see :data:`CUE_FIELDS`)."""

    name: str
    type: str
    nullable: bool
    meaning: str


#: Fields of one element of ``entities.cues``: what set a flag.
CUE_FIELDS: tuple[Column, ...] = (
    Column("axis", "string", False, "the axis set: a flag's name or `experiencer`"),
    Column(
        "value", "string", False, "the value, with its sub-value: `true`, `past`, `stopped`, `planned`, `family`, …"
    ),
    Column("rule_id", "string", False, "id of the context rule, or `section:` and the section's group"),
    Column("text", "string", False, "the cue as written"),
    Column("start", "int64", False, "first character of the cue in the note"),
    Column("end", "int64", False, "one past the cue's last character"),
)

ENTITIES: tuple[Column, ...] = (
    Column("note_id", "string", False, "id of the note, always a string"),
    Column("entity_id", "string", False, "`{note_id}:{start}:{end}:{label}`"),
    Column("start", "int64", False, "first character, in Unicode code points of the note as read"),
    Column("end", "int64", False, "one past the last character; `note[start:end] == text`"),
    Column("text", "string", False, "the entity as written"),
    Column("label", "string", False, "one of " + ", ".join(LABELS)),
    Column("section", "string", True, "canonical group of the section the entity stands in"),
    Column("sentence", "int64", False, "number of its sentence in the note, from 0"),
    Column("negated", "bool", False, "absent, not given, not done, denied"),
    Column("uncertain", "bool", False, "possible, suspected, not excluded"),
    Column("hypothetical", "bool", False, "conditional, planned, a risk, an instruction"),
    Column("historical", "bool", False, "before this episode; stopped"),
    Column("allergy", "bool", False, "allergen or reaction in an allergy statement"),
    Column("experiencer", "string", False, "`patient`, `family` or `other`"),
    Column("assertion", "string", False, "the axes in one word: " + ", ".join(ASSERTIONS)),
    Column("exists", "bool", False, "the patient has or had it: select by this, not by `assertion == 'present'`"),
    Column("cues", "list<cue>", False, "what set each flag: axis, value, rule_id, text, start, end (JSON in csv)"),
    Column("concept_id", "string", True, "code of the concept in its vocabulary"),
    Column("vocabulary", "string", True, "the vocabulary: ICD10CM, DOID, HP, MESH, MONDO, UBERON, UNII, clinspan, …"),
    Column("concept_name", "string", True, "the concept's name in that vocabulary"),
    Column(
        "score",
        "float64",
        True,
        "probability that the trained finder gives it, 0 to 1 (null where only the dictionary finds it)",
    ),
    Column("source", "string", False, "the finder: `terms`, `abbreviations`, a terms file's name, `ner`, `given`"),
    Column("pipeline", "string", False, "name and version of the pipeline"),
)

SNIPPET = Column("snippet", "string", False, "with `--snippet N`: the text around, up to N characters each side")

NOTES: tuple[Column, ...] = (
    Column("note_id", "string", False, "id of the note"),
    Column("characters", "int64", False, "length in Unicode code points"),
    Column("changed_characters", "int64", False, "characters replaced on reading (NUL, lone surrogates)"),
    Column("encoding", "string", True, "how the bytes were decoded, where they were"),
    Column("entities", "int64", False, "rows of this note in `entities`"),
    Column("seconds", "float64", False, "wall-clock time spent on the note"),
    Column("status", "string", False, "`done` or `failed`"),
)

SECTIONS: tuple[Column, ...] = (
    Column("note_id", "string", False, "id of the note"),
    Column("section", "string", False, "canonical group"),
    Column("title", "string", False, "the header as written"),
    Column("title_start", "int64", False, "first character of the header"),
    Column("title_end", "int64", False, "one past its last character"),
    Column("start", "int64", False, "first character of the body"),
    Column("end", "int64", False, "one past its last character"),
)

ERRORS: tuple[Column, ...] = (
    Column("note_id", "string", False, "id of the note (or the file, where no note could be read)"),
    Column("stage", "string", False, "`read`, `pipeline`, `rows`, or `worker`: the note ended its process"),
    Column("error", "string", False, "class of the exception and offsets, never its message: messages quote text"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "entities": ENTITIES,
    "notes": NOTES,
    "sections": SECTIONS,
    "errors": ERRORS,
}


def columns_markdown(table: str) -> str:
    """The columns of one of :data:`TABLES` as a Markdown table, for the README."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for column in TABLES[table]:
        kind = column.type + (", may be null" if column.nullable else "")
        lines.append(f"| `{column.name}` | {kind} | {column.meaning} |")
    return "\n".join(lines)
