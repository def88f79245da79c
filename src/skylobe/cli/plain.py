"""Signs that a terminal's character set lacks, in those that it has: no answer is lost over a ″."""

import codecs
import contextlib
import io
import unicodedata

SPELT = {
    "″": '"',
    "′": "'",
    "°": " deg",
    "×": "x",
    "±": "+-",
    "–": "-",
    "−": "-",
    "—": "-",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "…": "...",
    "“": '"',
    "”": '"',
    "’": "'",
    "σ": "sigma",
    "λ": "lambda",
    "ρ": "rho",
    "τ": "tau",
    "µ": "u",  # two signs that look alike
    "μ": "u",
    "⁻": "-",
    "√": "sqrt ",
    "∞": "infinity",
    "·": "*",
}
HANDLER = "skylobe.plain"


def speak_plainly(*streams: object) -> None:
    """Have streams spell out what their character set lacks, instead of ending the command."""
    codecs.register_error(HANDLER, _spelt)
    for one in streams:
        if isinstance(one, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):  # one that nobody reads
                one.reconfigure(errors=HANDLER)


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Spell what could not be written; of an accented letter the accent is lost.

    >>> _spelt(UnicodeEncodeError("ascii", "é 5″", 0, 1, "")), _spelt(
    ...     UnicodeEncodeError("ascii", "é 5″", 3, 4, "")
    ... )
    (('e', 1), ('"', 4))
    """
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_spell, error.object[error.start : error.end])), error.end


def _spell(sign: str) -> str:
    base = unicodedata.normalize("NFKD", sign)[:1]
    return SPELT.get(sign) or (base if base.isascii() else "?")
