"""The matching engine: normal forms of tokens, the index of names, and its builder.

Cues, section titles and terminologies of any size all go through it.
"""

from clinspan.matching.concepts import Concept, ConceptIndex
from clinspan.matching.container import IndexFileError
from clinspan.matching.index import Match, Matcher, TermIndex
from clinspan.matching.lookup import Candidate, ConceptLookup
from clinspan.matching.normal import readings, split_words

__all__ = [
    "Candidate",
    "Concept",
    "ConceptIndex",
    "ConceptLookup",
    "IndexFileError",
    "Match",
    "Matcher",
    "TermIndex",
    "readings",
    "split_words",
]
