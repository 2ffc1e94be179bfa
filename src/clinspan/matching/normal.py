"""Normal forms: which written tokens count as the same word.

A token has one or more *readings*, each a sequence of symbols. The first reading is the canonical one, under which
names are filed; a text token matches a name through any of its readings. White space and a possessive ``'s`` have the
empty reading: matching looks through them.

Folded: letter case, accents, plural endings, possessives, hyphen against space, British against American spelling,
typographic quotes and dashes, ``II``/``III`` against ``2``/``3``, ``&`` against ``and``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Symbols that stand for a whole class of words in a name: any number, any year, any word ending so (``*ectomy``).
NUMBER = "<num>"
YEAR = "<year>"
SUFFIX_MARK = "*"

# Words whose final s is no plural (or whose stripped form is another word people chart).
_KEEP_S = frozenset(
    """
    always as aids alias besides does diabetes diuresis feces gas has his hers its ours theirs yours is itself lens
    less mumps news pancreas perhaps plus pus rabies rickets series species sometimes texas this thus towards us was
    yes pass cords christmas hives herpes ross bls als aortas whereas afterwards
    """.split()
) - {"cords", "aortas", "diabetes"}
_IRREGULAR = {
    "metastases": "metastasis",
    "diagnoses": "diagnosis",
    "prognoses": "prognosis",
    "prostheses": "prosthesis",
    "biopsies": "biopsy",
    "emphases": "emphasis",
    "crises": "crisis",
    "testes": "testis",
    "feet": "foot",
    "teeth": "tooth",
    "children": "child",
    "women": "woman",
    "men": "man",
    "vertebrae": "vertebra",
    "bullae": "bulla",
    "fistulae": "fistula",
    "papulae": "papula",
    "petechiae": "petechia",
    "ecchymoses": "ecchymosis",
    "nuclei": "nucleus",
    "bronchi": "bronchus",
    "bacteria": "bacterium",
    "diverticula": "diverticulum",
    "nevi": "nevus",
    "naevi": "nevus",
    "emboli": "embolus",
    "thrombi": "thrombus",
    "calculi": "calculus",
    "indices": "index",
    "appendices": "appendix",
    "varices": "varix",
    "ova": "ovum",
    "septa": "septum",
    "foci": "focus",
    "hila": "hilum",
    "lice": "louse",
    "knives": "knife",
    "calves": "calf",
    "lives": "life",
    "foramina": "foramen",
    "ostia": "ostium",
    "cortices": "cortex",
    "apices": "apex",
    "lenses": "lens",
    "sinuses": "sinus",
    "viruses": "virus",
    "fetuses": "fetus",
    "boluses": "bolus",
    "plexuses": "plexus",
    "calluses": "callus",
    "meatuses": "meatus",
}
_OSES = re.compile(r"(?:[a-z]{3,}(?:n|r|b|t|p|l|c|m|h|d|g)o)ses$")

_BRITISH = [
    (re.compile(p), r)
    for p, r in (
        (r"aem(?=[aio])", "em"),
        (r"oedem", "edem"),
        (r"\boe(?=soph|str)", "e"),
        (r"(?<=rrh|.pn|.rh)oe(?=a|ic)", "e"),
        (r"anaesth", "anesth"),
        (r"paedi", "pedi"),
        (r"paedic", "pedic"),
        (r"gynaec", "gynec"),
        (r"faec", "fec"),
        (r"caec", "cec"),
        (r"foet", "fet"),
        (r"coeli", "celi"),
        (r"leucoc", "leukoc"),
        (r"sulph", "sulf"),
        (r"(?<=tum|col|lab|hum|vap)our", "or"),
        (r"(?<=behavi)our", "or"),
        (r"isation", "ization"),
        (r"(?<=ili)sed\b", "zed"),
        (r"(?<=fib)re$", "er"),
        (r"(?<=cent)re$", "er"),
        (r"(?<=lit)re$", "er"),
        (r"haem", "hem"),
        (r"oedip", "edip"),
        (r"ae(?=tiolog)", "e"),
        (r"orthopae", "orthope"),
        (r"mould", "mold"),
    )
]
_BRITISH_HINT = re.compile(r"ae|oe|our|sulph|isat|ilis|leuco|tre$|bre$|mould")
_FOLD = str.maketrans(
    {
        "\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'", "\u2212": "-",
        "\u00df": "ss", "\u0153": "oe", "\u0152": "oe", "\u00e6": "ae", "\u00c6": "ae",
    }
)  # fmt: skip
_DASH = re.compile("[-\u2010-\u2015]")
_EQUAL = {"ii": "2", "iii": "3", "&": "and"}
_NUMERIC = re.compile(r"\d[\d.,]*\Z")


def _singular(word: str) -> str:
    if len(word) < 4 or word[-1] != "s":
        return _IRREGULAR.get(word, word)
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    if word in _KEEP_S or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("'s") or word.endswith("s'"):
        return word[:-2] if word.endswith("'s") else _singular(word[:-1])
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if _OSES.match(word):
        return word[:-2] + "is"
    if word.endswith(("xes", "ches", "shes", "sses", "zes")):
        return word[:-2]
    return word[:-1]


def _word(word: str) -> str:
    if _BRITISH_HINT.search(word):
        for pattern, replacement in _BRITISH:
            word = pattern.sub(replacement, word)
    return _singular(word)


def fold(text: str) -> str:
    """Lower case, compatibility form, without accents; for comparing written forms."""
    text = text.translate(_FOLD)
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return text.lower()


@lru_cache(maxsize=50_000)
def readings(token: str) -> tuple[tuple[str, ...], ...]:
    """The readings of one token, canonical first; ``((),)`` where matching looks through it."""
    if token.isspace():
        return ((),)
    low = fold(token)
    if low in ("'s", "'"):
        return ((),)
    low = _EQUAL.get(low, low)
    if len(low) > 100:
        return ((low[:100] + "\u2026",),)
    if _DASH.search(low) and len(low) > 1 and low.strip("-\u2010\u2011\u2012\u2013\u2014\u2015"):
        parts = tuple(_EQUAL.get(part, _word(part)) for part in _DASH.split(low) if part)
        if len(parts) > 1:
            return (parts, (_word(_DASH.sub("", low)),))
        return (parts or (low,),)
    if "/" in low and len(low) > 2:
        parts = tuple(part for part in low.split("/") if part)
        if len(parts) > 1 and not low[0].isdigit():
            return ((low,), tuple(p for part in parts for p in (part, "/"))[:-1])
        return ((low,),)
    if "." in low and not low[0].isdigit() and len(low) > 2:
        # b.i.d. = bid, Dr. = dr
        bare = low.replace(".", "")
        return ((bare,),) if bare else ((low,),)
    return ((_word(low),),)


def classes(symbol: str, suffixes: tuple[str, ...]) -> list[str]:
    """The class symbols that ``symbol`` belongs to; ``suffixes`` are those in use, longest first."""
    if symbol[:1].isdigit():
        if not _NUMERIC.match(symbol):
            return []
        return [YEAR, NUMBER] if len(symbol) == 4 and symbol[:2] in ("19", "20") and symbol.isdigit() else [NUMBER]
    for suffix in suffixes if symbol.endswith(suffixes) else ():
        if symbol.endswith(suffix) and len(symbol) >= len(suffix) + 2:
            return [SUFFIX_MARK + suffix]
    return []


def split_words(text: str) -> list[str]:
    """The words of a name as the pipeline's tokenizer would cut them, white space left out."""
    from clinspan.components.tokenizer import words_of

    return [word for word in words_of(text) if not word.isspace()]


def symbols(name: str) -> tuple[str, ...]:
    """The normal form of a name: the canonical symbols of its words. Class symbols pass through as they are."""
    out: list[str] = []
    for piece in name.split():
        if piece in (NUMBER, YEAR) or (piece.startswith(SUFFIX_MARK) and len(piece) > 3):
            out.append(piece)
        else:
            for word in split_words(piece):
                out.extend(readings(word)[0])
    return tuple(out)
