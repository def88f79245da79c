"""What the commands share: options of data sets, the device, a call as it is typed."""

import inspect
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

Options = dict[str, Any]  # of a data set, as datasets.load takes them


def device() -> str:
    """Name the device that models are put on."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def as_typed(
    function: Callable[..., None], given: dict[str, Any], *, positional: bool = False
) -> str:
    """Write a call as the command that makes it, without options that are as by default.

    Args:
        function: The command.
        given: Its arguments by name.
        positional: Whether arguments without a default are typed without their name.
    """
    words = ["skylobe", function.__name__]
    for option, parameter in inspect.signature(function).parameters.items():
        value = given[option]
        if value == parameter.default:
            continue
        if positional and parameter.default is parameter.empty:
            words.append(str(value))
            continue
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for key, one in parts:
            text = str(one) if isinstance(one, str | Path) else json.dumps(one)
            words += [f"--{option}" + (f".{key}" if key else ""), text]
    return shlex.join(words)
