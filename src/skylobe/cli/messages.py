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

_OPTION = re.compile(r"--[a-zA-Z][\w.-]*")
_UNION = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[(.*)\] Errors: .* "
    r"Given value: (.*)"
)


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
    r"""Squeeze the parser's message into a line that names options as they are typed.

    >>> one_line("Expected a <class 'collections.abc.Sequence'>. Got value: a.vot", ["search"])
    'Expected a list, such as \'["a"]\'. Got value: a.vot'
    """
    line = " ".join(message.split()).rstrip(".")
    line = re.sub(r'Parser key "([^"]+)":', r"--\1:", line)
    line = re.sub(rf"\b({'|'.join(commands)})\.(\w+)", r"--\2", line)
    line = _UNION.sub(r"Expected \1. Got value: \2", line)
    line = line.replace(", <class 'NoneType'>", " or null")
    line = line.replace("a <class 'collections.abc.Sequence'>", "a list, such as '[\"a\"]'")
    return plain_types(line).replace("a typing.Literal", "one of ")


def plain_types(text: str) -> str:
    """Write the types of options without Python's own words for them.

    >>> plain_types("required, type: <class 'Path'>"), plain_types("type: Optional[tuple[float, float]]")
    ('required, type: Path', 'type: [float, float] | null')
    """
    text = re.sub(r"(?:\ba )?<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    text = re.sub(r"Union\[([^\[\]]*)\]", lambda found: found[1].replace(", ", " | "), text)
    text = re.sub(r"Optional\[dict\[.*null\]\]", "mapping | null", text)
    text = re.sub(r"Optional\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", r"\1 | null", text)
    text = re.sub(r"\btuple\[", "[", text).replace("NoneType", "null")
    return re.sub(r"\b(?:Sequence|list)\[(\w+)\]", r"list of \1", text)


def underscored(argument: str) -> str:
    """Give an option's name its underscores; what it is given stays as it is.

    >>> underscored("--n-neighbours"), underscored("--base-url=http://a-b"), underscored("-3")
    ('--n_neighbours', '--base_url=http://a-b', '-3')
    """
    found = _OPTION.match(argument)
    return (
        argument
        if found is None
        else found[0].replace("-", "_").replace("__", "--", 1) + argument[found.end() :]
    )
