"""What a person asks of the sources, as SQL, parsed before the store sees it.

Only known columns, literals, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE and IS NULL are understood; the
condition is written anew from what was parsed, so nothing that was typed is passed on.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from skylobe.core.errors import ConfigError

Kind = Literal["text", "number", "truth"]
TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<quoted>\"[^\"]+\")|(?P<sign><=|>=|<>|!=|=|<|>|\(|\)|,))"
)
COMPARISONS = {"=", "!=", "<>", "<", ">", "<=", ">="}
WORDS = {"AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE"}
LONGEST = 4000  # characters
DEEPEST = 8  # brackets and NOTs within each other; the store reads all of those, and not 24


def parse_filter(text: str, columns: Mapping[str, Kind]) -> str:
    """Check a condition on columns and write it anew.

    Args:
        text: Such as ``size_arcsec BETWEEN 30 AND 90 AND label IN ('FRI', 'Bent')``. Text stands in single
            quotes; a column whose name is no word stands in double quotes.
        columns: What each column holds.

    Raises:
        ConfigError: If it is not a condition, or speaks of another column.

    >>> parse_filter("size > 30 and not (label = 'FRI')", {"size": "number", "label": "text"})
    "(`size` > 30 AND (NOT `label` = 'FRI'))"
    """
    if len(text) > LONGEST:
        raise ConfigError(f"A filter of {len(text)} characters; use at most {LONGEST}.")
    parser = _Parser(_tokens(text), columns, text)
    condition = parser.either(0)
    if parser.left:
        raise parser.error(f"at {parser.left[0][1]!r}")
    return condition


def _tokens(text: str) -> list[tuple[str, str]]:
    """Put the text apart into kinds and values; keywords are upper case."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise ConfigError(f"The filter {text!r} cannot be read at {text[at:].strip()[:20]!r}.")
        kind, value = str(match.lastgroup), match.group(str(match.lastgroup))
        if kind == "word" and value.upper() in WORDS:
            kind, value = "keyword", value.upper()
        tokens.append((kind, value))
        at = match.end()
    return tokens


class _Parser:
    """Reads a condition from left to right, one method per rule."""

    def __init__(
        self, tokens: list[tuple[str, str]], columns: Mapping[str, Kind], text: str
    ) -> None:
        self.left, self.columns, self.text = tokens, columns, text

    def error(self, where: str) -> ConfigError:
        known = ", ".join(self.columns)
        return ConfigError(
            f"The filter {self.text!r} cannot be read {where}; write conditions such as "
            f"size_arcsec > 30 AND label = 'FRI' on the columns {known}."
        )

    def either(self, depth: int) -> str:
        if depth > DEEPEST:
            raise self.error("because its brackets are nested too deep")
        return self._joined("OR", lambda: self._joined("AND", lambda: self._negation(depth)))

    def _joined(self, word: str, part: Callable[[], str]) -> str:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else f"({f' {word} '.join(parts)})"

    def _negation(self, depth: int) -> str:
        if self._take("NOT"):
            if depth > DEEPEST:
                raise self.error("because its NOTs are nested too deep")
            return f"(NOT {self._negation(depth + 1)})"
        if self._take("("):
            inner = self.either(depth + 1)
            self._need(")")
            return inner
        return self._condition()

    def _condition(self) -> str:
        name, kind = self._column()
        if self._take("IS"):
            refused = "NOT " if self._take("NOT") else ""
            self._need("NULL")
            return f"`{name}` IS {refused}NULL"
        refused = "NOT " if self._take("NOT") else ""
        if self._take("IN"):
            self._need("(")
            values = [self._literal(kind)]
            while self._take(","):
                values.append(self._literal(kind))
            self._need(")")
            return f"`{name}` {refused}IN ({', '.join(values)})"
        if self._take("BETWEEN"):
            low = self._literal(kind)
            self._need("AND")
            return f"(`{name}` {refused}BETWEEN {low} AND {self._literal(kind)})"
        if kind == "text" and self._take("LIKE"):
            return f"`{name}` {refused}LIKE {self._literal(kind)}"
        sign = self._next("a comparison")[1]
        if refused or sign not in COMPARISONS:
            raise self.error(f"at {sign!r}")
        return f"`{name}` {sign} {self._literal(kind)}"

    def _column(self) -> tuple[str, Kind]:
        kind, value = self._next("a column")
        name = value.strip('"')
        if kind not in ("word", "quoted") or name not in self.columns or "`" in name:
            raise self.error(f"at {value!r}")
        return name, self.columns[name]

    def _literal(self, kind: Kind) -> str:
        found, value = self._next("a value")
        if kind == "truth" and value in ("TRUE", "FALSE"):
            return value
        if (found, kind) not in (("number", "number"), ("text", "text")):
            raise self.error(f"at {value!r}, where a {kind} is compared")
        return value

    def _take(self, value: str) -> bool:
        """Pass over a keyword or sign, if it comes next."""
        taken = bool(self.left) and self.left[0] in (("keyword", value), ("sign", value))
        if taken:
            self.left = self.left[1:]
        return taken

    def _need(self, value: str) -> None:
        if not self._take(value):
            raise self.error(f"where {value} should follow")

    def _next(self, wanted: str) -> tuple[str, str]:
        if not self.left:
            raise self.error(f"at its end, where {wanted} should follow")
        first, *self.left = self.left
        return first
