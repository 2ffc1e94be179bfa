"""Dictionary finder: names of the bundled terminologies, of our own vocabulary, and of the user's own lists.

The longest name that the text's written form admits wins. How a name must be written is part of the name: as it comes
(any case), exactly (``=MI``), or only inside a slashed group (``/n``, as in "n/v/d"). Forms with several readings
(``?MS``) are decided by the words around them (``resources/en/ambiguous.tsv``). An anatomical adjective directly before
a finding, test or procedure becomes part of it ("renal mass"), which then has no code of its own; words for parts
(``+wall``) match only behind a body site or its adjective ("gastric wall"), words for what is done (``+removal``) only
behind what it is done to ("stent removal"). "X of the Y" with a body site is one entity.

``doc.spans["terms"]``, ``doc.spans["indexes"]`` (of the user's indexes) and ``doc.spans["user_terms"]`` hold the
matches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan import schema
from clinspan.attributes import KEY, user_data
from clinspan.components import keep_files, kept_files, resource_rows
from clinspan.components.memo import PerWord, Tokens, set_spans, tokens_of
from clinspan.components.sections import Places
from clinspan.matching import Concept, IndexFileError, Matcher, TermIndex
from clinspan.matching.normal import symbols

TERMS = "terms"
USER_TERMS = "user_terms"
INDEXES = "indexes"
INDEX_FILE = "terms.index"
_USER_FILE = "user_terms.jsonl"

ANY, EXACT, SLASHED, AMBIGUOUS, PART, MODIFIER = "", "=", "/", "?", "+", "~"
MODES = (EXACT, SLASHED, AMBIGUOUS, PART)
_NEAR = 8
_REMEMBERED = 10_000
_SIDE = 3
#: What the word before stands for when one of these follows it: a place, a person or a thing ("cath lab").
_BLOCKING = frozenset(
    """
    lab team department dept room suite clinic center centre unit floor service staff nurse technician consultant
    machine board table tray gap department's resident attending provider personnel group camp policy form division
    system systems ward swab swabs pad pads wipe wipes dependency laboratory holding protocol doctor worker employee
    party guide guides tubes ring rings knife gun apparatus technique techniques bank specialist medium stress
    generating integrity preparation prep preparations chair detector detectors alarm alarms oncology
    """.split()
)
#: Which labels a word for a part, or for something done (``+removal``), may stand behind.
WHOLES = {"ANATOMY": ("ANATOMY",), "PROCEDURE": ("DEVICE", "ANATOMY", "CONDITION")}
# Names of things done or used that are verbs behind "to".
_VERBS = frozenset(
    """
    repair drain suture suction drill clamp stent cast splint stitch staple bandage dress shunt plate pin screw wire
    graft sponge block shave ream snare bypass clip sling brace tie irrigate cough rash wound tear fracture bleed bruise
    fall scar blister swell itch faint pace
    """.split()
)
_UNITS = frozenset(["foot", "feet"])
_RATES = frozenset(
    "day days week month ppd years year pack packs pack-year pack-years pack-yr pk-yr pack-a-year 6-pack".split()
)
#: Behind a habit, these say what it did: "alcohol induced dementia".
_CAUSING = frozenset(["induced", "related", "associated", "containing"])
_CLEANSED = frozenset("prepped prepared cleansed cleaned wiped swabbed scrubbed".split())
#: Behind a disease, part of its name: "ruptured ectopic pregnancy".
_PREGNANCY = frozenset(["pregnancy", "pregnancies", "gestation"])
#: No body site alone, part of the name behind one: "breast tissue".
_MATTER = frozenset(["tissue", "tissues"])
#: Part of the name behind a body site: "gracilis muscle".
_STRUCTURES = _MATTER | frozenset(
    """
    muscle muscles tendon tendons fascia nerve nerves vein veins artery arteries ligament ligaments vessel vessels
    """.split()
)
#: Where a muscle ends, behind its name: "deltoid insertion".
_INSERTIONS = frozenset(["insertion", "insertions"])
#: What is measured, said as a verb, makes no name with what stands before: "the kidneys weigh".
_MEASURING = frozenset(["weigh", "weighs", "weighed", "weighing"])
#: Behind these, a weight is a load: "bear weight", "walking with weights".
_BEARING = frozenset("bear bears bore bearing lift lifting lifts put puts putting place places placing".split())
_LIFTING = _BEARING | frozenset("with using light free hand ankle wrist".split())
#: Names that begin with one of these take the number before: "5 [months' pregnant]", "39-[week pregnancy]".
_COUNTED = frozenset("week weeks wk wks month months week's weeks' month's months' pack packs".split())
_HYPHENS = frozenset(["-", "\u2010", "\u2011", "\u2013"])
#: What a person does for a living is said with "a" or nothing; with these it is another person's: "the teacher".
_OTHERS = frozenset("the my your our their his her another several other some".split())
#: Body sites that things have as well: "limb of the graft".
_PARTS_OF_THINGS = frozenset(
    "limb limbs arm arms leg legs neck head body shoulder lip tip tail lumen teeth jaws".split()
)
#: Body sites that say where on the site named behind "of": "dorsal aspect of the foot".
_ASPECTS = frozenset("aspect surface border margin pole edge wall".split())
_NUMERALS = frozenset("I II III IV V VI VII VIII IX X XI XII 1 2 3 4 5 6 7 8 9 10 11 12".split())
_TO = frozenset(["to", "through", "thru", "-", "\u2013"])
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th)", re.IGNORECASE).fullmatch
_DETERMINERS = frozenset("the a his her their its this that left right both bilateral".split())
#: Labels that a body site's adjective directly before them joins.
_JOINED = frozenset(["CONDITION", "PROCEDURE", "MEASUREMENT"])
#: What is wrong with a body site that stands before it: "spine problems".
_DISORDERS = frozenset("disease diseases disorder disorders problem problems trouble issues".split())
#: Words before a name that are part of it, by its label: "mattress suture", "percutaneous fixation".
_INTEGRAL = {
    "DEVICE": frozenset(
        """
        subcuticular mattress grasping mini cutting threaded self-retaining weighted pneumatic diamond titanium steel
        metallic cannulated reciprocating oscillating side-biting peel-away
        """.split()
    ),
    "PROCEDURE": frozenset(
        "percutaneous laparoscopic arthroscopic subperiosteal subcuticular transurethral pulse pulsatile".split()
    ),
    "MEASUREMENT": frozenset(["wedge", "fiberoptic", "stereotactic"]),
}
#: Two names side by side that are one entity, of the second's label: "ankle tourniquet", "contrast injection".
_COMPOUNDS = frozenset(
    [
        ("ANATOMY", "CONDITION"),
        ("ANATOMY", "PROCEDURE"),
        ("ANATOMY", "MEASUREMENT"),
        ("ANATOMY", "DEVICE"),
        ("DEVICE", "DEVICE"),
        ("DEVICE", "PROCEDURE"),
        ("PROCEDURE", "DEVICE"),
        ("MEASUREMENT", "DEVICE"),
        ("DRUG", "PROCEDURE"),
    ]
)


class Name(NamedTuple):
    """A name of a concept: how it must be written, and its verbatim form.

    Behind the mark of an ambiguous form stands the id by which ``resources/en/ambiguous.tsv`` knows the concept.
    """

    concept: Concept
    mode: str
    written: str


_NO_CONCEPT = "-"  # of a reading that is no entity
_NONE = Name(Concept("", "", "", ""), ANY, "")
_SITE = Name(Concept("ANATOMY", "", "", ""), ANY, "")


class _Reading(NamedTuple):
    """One reading of an ambiguous form and the words that call for it."""

    concept_id: str
    before: frozenset[str]
    after: frozenset[str]
    near: frozenset[str]
    sections: frozenset[str]


def pack_names(names: Sequence[Name]) -> tuple[list[tuple[str, int]], dict[str, list[str]]]:
    """What :meth:`TermIndex.build` and :meth:`TermIndex.to_file` take, from names."""
    concepts: dict[str, int] = {}
    records = []
    for name in names:
        number = concepts.setdefault(name.concept.packed(), len(concepts))
        records.append(f"{number}\t{name.mode}\t{name.written}")
    return [(name.written, i) for i, name in enumerate(names)], {"concepts": list(concepts), "names": records}


class _Dictionary:
    """A term index with the names behind its ids."""

    def __init__(self, index: TermIndex, source: str) -> None:
        self.index = index
        self.source = source
        self.matcher = Matcher(index)
        #: Whether a name may begin with a written form.
        self.begins = PerWord(self.matcher.begins)
        self.names: dict[int, Name] = {}

    def name(self, number: int) -> Name:
        found = self.names.get(number)
        if found is None:
            concept, mode, written = self.index.payload["names"][number].split("\t", 2)
            found = Name(Concept(*self.index.payload["concepts"][int(concept)].split("\t", 3)), mode, written)
            self.names[number] = found
        return found


class Terms:
    """The component; :meth:`find` is the pure function inside."""

    def __init__(self) -> None:
        self._bundled: _Dictionary | None = None
        self._index_path: Path | None = None
        self._user: list[_Dictionary] = []
        self._user_rows: list[dict[str, str]] = []
        self._indexes: dict[Path, _Dictionary] = {}
        self._ambiguous: dict[str, list[_Reading]] = {}
        self._decided: dict[str, list[_Reading]] = {}  # by written form
        for row in resource_rows("en/ambiguous.tsv"):
            reading = _Reading(
                row["concept_id"],
                *(frozenset(w for w in row[c].split("|") if w) for c in ("before", "after", "near", "sections")),
            )
            self._ambiguous.setdefault(row["form"].replace(" ", ""), []).append(reading)

    # --- data ---

    def __len__(self) -> int:
        indexes = [self._bundled] if self._bundled else []
        return sum(len(d.index) for d in (*indexes, *self._indexes.values())) + len(self._user_rows)

    def open_index(self, path: str | Path) -> None:
        """Use the index file at ``path`` (mapped, not read)."""
        self._index_path = Path(path).resolve()
        self._bundled = _Dictionary(TermIndex.open(path), TERMS)

    def add_index(self, path: str | Path, *, verify: bool = False) -> int:
        """Search for the names of the user's index at ``path`` as well (mapped, not read). Returns how many.

        ``verify`` reads all of the file once, and checks its digest.

        Raises:
            IndexFileError: not an index, damaged, or without names to find.
        """
        index = TermIndex.open(path, verify=verify)
        if not {"names", "concepts"} <= index.payload.keys():
            raise IndexFileError(f"{path}: an index without concepts")
        self._indexes[Path(path).resolve()] = _Dictionary(index, Path(path).name)
        return len(index)

    def add_terms(self, rows: Iterable[dict[str, str]], *, source: str = USER_TERMS) -> int:
        """Add the user's own names; they win over everything else. Returns how many.

        Each row has ``term`` and ``label``, and may have ``code``, ``vocabulary`` and ``name`` (the concept's). A term
        written ``=MS`` matches in exactly that case.

        Raises:
            ValueError: a row without a term, or with an unknown label; the message gives the row's number.
        """
        rows = [{k: " ".join((v or "").split()) for k, v in row.items()} | {"source": source} for row in rows]
        names = []
        for number, row in enumerate(rows, 1):
            term, label = row.get("term", ""), row.get("label", "").upper()
            if not symbols(term.lstrip(EXACT)):
                raise ValueError(f"{source}: row {number} has no term")
            if any(piece.startswith(("<num>", "<year>", "*")) and len(piece) > 3 for piece in term.split()):
                raise ValueError(f"{source}: row {number}: a term is words, without * or <num>")
            if label not in schema.LABELS:
                raise ValueError(f"{source}: row {number}: label is not one of {', '.join(schema.LABELS)}")
            mode = EXACT if term[0] == EXACT and len(term) > 1 else ANY
            concept = Concept(label, row.get("vocabulary") or source, row.get("code") or "", row.get("name") or term)
            names.append(Name(concept, mode, term[1:] if mode else term))
        pairs, payload = pack_names(names)
        index = TermIndex.build(pairs)
        index.payload.update(payload)
        self._user.append(_Dictionary(index, source))
        self._user_rows += rows
        return len(rows)

    # --- matching ---

    def __call__(self, doc: Doc) -> Doc:
        tokens = tokens_of(doc)
        words, offsets = tokens.words, tokens.offsets
        data = user_data(doc)
        bundled = [self._bundled] if self._bundled else []
        for group, dictionaries in ((TERMS, bundled), (INDEXES, self._indexes.values()), (USER_TERMS, self._user)):
            spans = []
            for dictionary in dictionaries:
                for start, end, name in self.find(doc, tokens, dictionary):
                    label, vocabulary, concept_id, concept_name = name.concept
                    spans.append(Span(doc, start, end, label=label, span_id=dictionary.source))
                    last = offsets[end - 1] + len(words[end - 1])
                    data[(KEY, offsets[start], last, label)] = values = {
                        "concept_id": concept_id or None,
                        "vocabulary": vocabulary or None,
                        "concept_name": concept_name or None,
                        "source": dictionary.source,
                    }
                    if concept_id and group == USER_TERMS:
                        values["fixed"] = True  # the user's code stays, whatever vocabularies are asked for
            if spans or group == TERMS:
                set_spans(doc, group, spans)
        return doc

    def find(self, doc: Doc, tokens: Tokens, dictionary: _Dictionary) -> list[tuple[int, int, Name]]:
        """Leftmost-longest names as (first token, one past the last, name)."""
        out: list[tuple[int, int, Name]] = []
        last = 0
        where: Any = None
        site: tuple[int, int] | None = None  # the adjectives (or body site) before, as tokens
        names = dictionary.names
        words = tokens.words
        total = len(words)
        for first, end, ids in dictionary.matcher.all(words, dictionary.begins.places(tokens)):
            if first < last:
                continue
            for number in ids:
                name = names.get(number) or dictionary.name(number)
                if name.mode:
                    if name.mode == MODIFIER:
                        site = (site[0] if site and site[1] == first else first, end)
                        last = end
                        break
                    if name.mode == PART:
                        body = site if site and site[1] == first else None
                        whole = "ANATOMY" if body else ""
                        if (
                            body is None
                            and out
                            and out[-1][1] == first
                            and out[-1][2].concept[0] in WHOLES.get(name.concept[0], ())
                        ):
                            whole = out[-1][2].concept[0]
                            body = out.pop()[:2]
                        if body is None:
                            continue
                        site = body
                        found: Name | None = name
                        if whole == "ANATOMY" and words[first].lower() in _INSERTIONS:
                            found = _SITE  # of a muscle
                    elif name.mode[0] == AMBIGUOUS:
                        where = where or Places(doc)
                        found = self._decide(words, first, end, name, where)
                        if found is _NONE:  # nor is anything within it
                            last = end
                            break
                    else:
                        found = name if _admits(words, first, end, name) else None
                    if found is None:
                        continue
                    name = found
                start = first
                label = name.concept[0]
                if words[first].lower() == "history" and words[first + 1].lower() == "of":
                    continue  # what of is the name
                if end < total and words[end].lower() in _BLOCKING:
                    break
                if label == "OBSERVATION":
                    if _no_habit(words, first, end) or _no_occupation(words, first, end, name):
                        last = end
                        break
                    if words[first].lower() in _COUNTED:
                        start = max(last, _count(words, first))
                if first and words[end - 1] in _UNITS and words[first - 1][:1].isdigit():
                    break  # "6 feet"
                if first and words[first - 1] == "to" and words[first] in _VERBS:
                    break  # "to repair"
                if label == "MEASUREMENT" and end - first == 1 and first and _no_quantity(words, tokens.offsets, first):
                    break
                if first > 1 and words[first - 1] == "of" and words[first - 2].lower() in _BLOCKING:
                    break  # "Department of Anesthesia"
                joined = _join(words, out, site, start, end, name)
                site = None
                last = end
                if joined:
                    out.append(joined)
                    last = joined[1]
                break
        return out

    def _decide(self, words: Sequence[str], start: int, end: int, name: Name, where: Any) -> Name | None:
        """The name if the words around call for its concept among the form's readings.

        ``_NONE`` where they say that the form, of several words, is no name at all.
        """
        written = words[start] if end - start == 1 else "".join(w for w in words[start:end] if not w.isspace())
        rules = self._decided.get(written)
        if rules is None:
            if len(self._decided) > _REMEMBERED:
                self._decided = {}
            # a form given in lower case stands for any case
            tries = (written, written.removesuffix("s"), written.lower(), written.lower().removesuffix("s"))
            rules = next((rules for form in tries if (rules := self._ambiguous.get(form))), [])
            self._decided[written] = rules
        for reading in rules:
            if (
                _any_near(words[max(0, start - _SIDE) : start], reading.before)
                and _any_near(words[end : end + _SIDE], reading.after)
                and _any_near([*words[max(0, start - _NEAR) : start], *words[end : end + _NEAR]], reading.near)
                and (
                    not reading.sections
                    or ((section := where.at(start)) is not None and section[0] in reading.sections)
                )
            ):
                if reading.concept_id == _NO_CONCEPT:
                    return _NONE if end - start > 1 else None
                return name if reading.concept_id == name.mode[1:] else None
        return None

    # --- saving ---

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Write the index file and the user's names into the folder ``path``."""
        folder = Path(path)
        keep_files(folder, INDEX_FILE, self._index_path, self._indexes)
        (folder / _USER_FILE).unlink(missing_ok=True)  # of a pipeline saved there before
        if self._user_rows:
            lines = "".join(json.dumps(row) + "\n" for row in self._user_rows)
            (folder / _USER_FILE).write_text(lines, encoding="ascii")

    def from_disk(self, path: str | Path, **kwargs: Any) -> Terms:
        """Map the index file of the folder ``path`` and read the user's names."""
        folder = Path(path)
        self._indexes = {}
        if (folder / INDEX_FILE).exists():
            self.open_index(folder / INDEX_FILE)
        for path in kept_files(folder):
            self.add_index(path)
        if (folder / _USER_FILE).exists():
            lines = (folder / _USER_FILE).read_text(encoding="ascii").split("\n")
            self._restore([json.loads(line) for line in lines if line])
        return self

    def _restore(self, rows: list[dict[str, str]]) -> None:
        self._user, self._user_rows = [], []
        for source in dict.fromkeys(row["source"] for row in rows):
            self.add_terms([row for row in rows if row["source"] == source], source=source)

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Where the index files lie, and the user's names (the files themselves are not copied)."""
        state = {
            "index": str(self._index_path) if self._index_path else None,
            "indexes": [str(path) for path in self._indexes],
            "user": self._user_rows,
        }
        return json.dumps(state).encode()

    def from_bytes(self, data: bytes, **kwargs: Any) -> Terms:
        """Read what :meth:`to_bytes` gave."""
        state = json.loads(data)
        self._indexes = {}
        if state["index"]:
            self.open_index(state["index"])
        for path in state["indexes"]:
            self.add_index(path)
        self._restore(state["user"])
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_bytes, (self.to_bytes(),)


def _from_bytes(data: bytes) -> Terms:
    return Terms().from_bytes(data)


def _join(
    words: Sequence[str],
    out: list[tuple[int, int, Name]],
    site: tuple[int, int] | None,
    first: int,
    end: int,
    name: Name,
) -> tuple[int, int, Name] | None:
    """The name found at ``first`` with the words around that belong to it, None where it is none by itself.

    ``site`` are the adjectives (or the body site) right before; names found before that become part of it leave
    ``out``.
    """
    label = name.concept.label
    if not out:
        before, adjacent, of = "", False, False
    else:
        before = out[-1][2].concept.label
        adjacent = out[-1][1] == first
        of = not adjacent and _links(words, out[-1][1], first)
    start = first
    if words[first].lower() in _MEASURING:
        return start, end, name
    if site and site[1] == first and (label in _JOINED or label == "ANATOMY" or name.mode == PART):
        start = site[0]
    elif label == "ANATOMY" and of and before in _JOINED:  # "carcinoma of the left breast" is one entity
        start, _, name = out.pop()
    elif label == "ANATOMY" and of and before == label and words[out[-1][1] - 1].lower() in _ASPECTS:
        start = out.pop()[0]  # "dorsal aspect of the foot"
    elif label == "DEVICE" and of and before == "ANATOMY" and words[out[-1][1] - 1].lower() in _PARTS_OF_THINGS:
        out.pop()  # "limb of the graft"
    elif label == "CONDITION" and adjacent and _describes(words, out[-1]):
        start = out.pop()[0]  # "infected cyst"
    elif adjacent and (before, label) in _COMPOUNDS:
        start = out.pop()[0]
    elif adjacent and (before, label) == ("DEVICE", "ANATOMY"):
        start, _, name = out.pop()  # "mesh arms", "catheter tip": a part of the device
    elif adjacent and (before, label) == ("CONDITION", "OBSERVATION") and words[end - 1].lower() in _PREGNANCY:
        start, _, name = out.pop()
    elif label == "ANATOMY" and end - first == 1 and words[first].lower() in _STRUCTURES:
        if adjacent and before == label:
            start = out.pop()[0]  # "breast tissue"
        elif adjacent and before in _JOINED and "of" in words[out[-1][0] : out[-1][1]]:
            start, _, name = out.pop()  # "rupture of the gracilis muscle"
        elif words[first].lower() in _MATTER:
            return None
    if label == "ANATOMY":
        if start == first and first and _ORDINAL(words[first - 1]):
            start = first - 1  # "7th nerve"
        if words[first].lower() == "cranial" and words[end - 1] in _NUMERALS:
            end = _range_end(words, end)  # "cranial nerves II to XII"
        if end < len(words) and words[end].lower() in _DISORDERS:
            return start, end + 1, Name(Concept("CONDITION", "", "", ""), ANY, "")
    integral = _INTEGRAL.get(name.concept.label)
    if integral:
        after = out[-1][1] if out else 0
        while start > after and words[start - 1].lower() in integral:
            start -= 1
    if start < first or name.concept.label != label:
        name = Name(Concept(name.concept.label, "", "", ""), ANY, "")
    return start, end, name


def _no_habit(words: Sequence[str], first: int, end: int) -> bool:
    """Whether the name of an observation is how much of what is named elsewhere ("packs per day"), what caused a
    disease, what a value is compared with ("percentile for gestational age"), or put on the skin."""
    last = words[end - 1].lower()
    return (
        last in _RATES
        or (end < len(words) and words[end].lower() in _CAUSING)
        or (last == "age" and first > 0 and words[first - 1].lower() == "for")
        or (last == "alcohol" and not _CLEANSED.isdisjoint(words[max(0, first - _NEAR) : first]))
    )


def _no_occupation(words: Sequence[str], first: int, end: int, name: Name) -> bool:
    """Whether an occupation is not the patient's: several people's, or somebody's already spoken of."""
    if not name.concept.name.endswith((" occupation", " worker")):
        return False
    several = words[end - 1].endswith("s") and not name.written.endswith("s")
    return several or (first > 0 and words[first - 1].lower() in _OTHERS)


def _no_quantity(words: Sequence[str], offsets: Sequence[int], first: int) -> bool:
    """Whether a measurement's one word is a unit ("190K") or a load ("bear weight", "weight on the foot")."""
    before, word = words[first - 1], words[first]
    if len(word) == 1 and before[-1].isdigit():
        return offsets[first] == offsets[first - 1] + len(before)
    if word == "weight":
        after = words[first + 1 : first + 3]
        return before.lower() in _BEARING or (len(after) > 1 and after[0] == "on" and after[1] in _DETERMINERS)
    return word == "weights" and before.lower() in _LIFTING


def _count(words: Sequence[str], first: int) -> int:
    """Where the number before the unit at ``first`` begins."""
    number = first - 1
    if number > 0 and words[number] in _HYPHENS:
        number -= 1
    return number if number >= 0 and words[number][:1].isdigit() else first


def _range_end(words: Sequence[str], end: int) -> int:
    """Where a range that begins with the number before ``end`` ends: "II [to XII]"."""
    if end + 1 < len(words) and words[end].lower() in _TO and words[end + 1] in _NUMERALS:
        return end + 2
    return end


def _describes(words: Sequence[str], found: tuple[int, int, Name]) -> bool:
    """Whether a finding is one word that describes the next: "infected"."""
    return found[2].concept[0] == "CONDITION" and found[1] - found[0] == 1 and words[found[0]].endswith(("ed", "ic"))


def _links(words: Sequence[str], low: int, high: int) -> bool:
    """Whether the tokens between two names are "of" and determiners: "fracture of the left [wrist]"."""
    words = [w for w in words[low:high] if not w.isspace()]
    return bool(words) and words[0] == "of" and all(w in _DETERMINERS for w in words[1:])


def _any_near(words: Iterable[str], wanted: frozenset[str]) -> bool:
    return not wanted or any(word.lower() in wanted for word in words)


def _admits(words: Sequence[str], start: int, end: int, name: Name) -> bool:
    """Whether the text is written as the name asks."""
    if name.mode == EXACT:
        written = "".join(w for w in words[start:end] if not w.isspace())
        wanted = name.written.replace(" ", "")
        return written == wanted or (written[-1:] == "s" and written[:-1] == wanted)
    if name.mode == SLASHED:
        before = words[start - 1] if start else ""
        after = words[end] if end < len(words) else ""
        if "/" not in (before, after):
            return False
        # the neighbour across the slash is a short form as well, not a number or a unit
        sides = (start - 2 if before == "/" else -1, end + 1 if after == "/" else -1)
        across = [words[i] for i in sides if 0 <= i < len(words)]
        return bool(across) and all(w.isalpha() and len(w) <= 3 for w in across)
    return True


@Language.factory("clinspan_terms", requires=["doc.spans"], assigns=["doc.spans"])
def make_terms(nlp: Language, name: str) -> Terms:
    """The dictionary finder; its index comes with the pipeline's folder."""
    return Terms()
