"""Errors of the library, which speak of arguments, to what somebody in a browser can do."""

import re

_ARGUMENT = re.compile(r"(?<![\w./?&])[a-z_]+=['\"A-Z0-9]|\((?:resolve)\)")


def in_page(message: str) -> str:
    """Leave out the advice that only whoever runs the server can follow.

    >>> in_page("no source within 10″; name a survey with survey=NAME, or give an image file.")
    'no source within 10″.'
    >>> in_page("The filter 'x' cannot be read; write conditions such as size_arcsec > 30.")
    "The filter 'x' cannot be read; write conditions such as size_arcsec > 30."
    """
    first, *others = message.split("; ")
    kept = [first, *(one for one in others if not _ARGUMENT.search(one))]
    return "; ".join(kept).rstrip(".") + "."
