"""Clinical notes in, structured tables out.

>>> import clinspan                                                        # doctest: +SKIP
>>> clinspan.extract("Denies chest pain. Father had MI at 52.")[["text", "assertion"]]  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Note", "__version__", "annotate", "extract", "load"]

if TYPE_CHECKING:
    from clinspan.notes import Note
    from clinspan.pipeline import annotate, load
    from clinspan.tables import extract

_HOME = {"load": "pipeline", "annotate": "pipeline", "extract": "tables", "Note": "notes"}
_MODULES = (
    *("batch", "corpora", "display", "evaluate", "notes", "pipeline", "predictions", "report", "resampling"),
    *("rules", "sampling", "schema", "scoring", "tables"),
)


def __getattr__(name: str) -> Any:
    # spaCy takes a second to import: not before the first load()
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"clinspan.{_HOME[name]}"), name)
    if name in _MODULES:
        from importlib import import_module

        return import_module(f"clinspan.{name}")
    raise AttributeError(f"module 'clinspan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
