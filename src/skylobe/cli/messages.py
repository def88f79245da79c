"""Errors of the library, which speak of arguments, to what the terminal prints, where these are options.

The library writes an argument as it is given in Python: ``mode='append'``, ``port=NUMBER``,
``skylobe.finetune(out='mine')``.
"""

import re
from collections.abc import Collection

WORDS = {"True": "true", "False": "false", "None": "null"}
_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s,;:()]*[^\s,;:().]"
_GIVEN = re.compile(rf"(?<![\w./=?&-])([a-z_]+(?:\.[a-z_]+)*)=({_VALUE})")
_CALL = re.compile(r"\bskylobe\.([a-z_]+)\(([^()]*)\)")
_NAME = re.compile(r"(?<![\w./='\"-])([a-z]+(?:[_.][a-z_]+)+)\b(?![\w/='\"(])(?!\.\w)")


def in_options(
    message: str,
    options: Collection[str],
    own: Collection[str] = (),
    commands: Collection[str] = (),
) -> str:
    """Write arguments as options.

    Args:
        message: Of an error.
        options: Names of the options of all commands.
        own: Of the command that was typed.
        commands: Names of all commands.

    >>> in_options("add to it with mode='append', or lower train.lr.", ["mode"], ["train.lr"])
    'add to it with --mode append, or lower --train.lr.'
    >>> in_options("make one with skylobe.finetune(out='mine').", ["out"], (), ["finetune"])
    'make one with skylobe finetune --out mine.'
    >>> in_options("see http://localhost/?token=abc, or give token=abc", ["token"])  # an address stays
    'see http://localhost/?token=abc, or give --token abc'
    """

    def call(found: re.Match[str]) -> str:
        name, given = found.groups()
        return f"skylobe {name} {given}".rstrip() if name in commands else found[0]

    def option(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name not in options and name.partition(".")[0] not in options:
            return found[0]
        bare = value.strip("'\"")
        return f"--{name} {WORDS.get(bare, bare)}"

    def named(found: re.Match[str]) -> str:
        return f"--{found[1]}" if found[1] in own else found[0]

    return _NAME.sub(named, _GIVEN.sub(option, _CALL.sub(call, message)))


def one_line(message: str, commands: Collection[str]) -> str:
    """Squeeze the parser's message into a line that names options as they are typed."""
    line = " ".join(message.split()).rstrip(".")
    line = re.sub(r'Parser key "([^"]+)":', r"--\1:", line)
    line = re.sub(rf"\b({'|'.join(commands)})\.(\w+)", r"--\2", line)
    return re.sub(r"a <class '(\w+)'>", r"\1", line).replace("a typing.Literal", "one of ")
