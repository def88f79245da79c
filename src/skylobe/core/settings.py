"""Frozen dataclasses to plain containers for JSON, and back, with every value checked against its type."""

import dataclasses
import types
import typing
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from skylobe.core.errors import ConfigError

Config = TypeVar("Config")


def to_dict(config: Any) -> dict[str, Any]:  # noqa: ANN401  (any of the dataclasses above)
    """Turn a config into plain containers for JSON."""
    return asdict(config)


def from_dict(kind: type[Config], values: dict[str, Any]) -> Config:
    """Rebuild a config saved by ``to_dict``.

    Args:
        kind: Class of the config.
        values: Its fields; a missing field takes its default.

    Raises:
        ConfigError: If a field is unknown to this version.

    >>> from_dict(EncoderConfig, {"depth": 34})
    EncoderConfig(depth=34, stem='paper', width=64)
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{kind.__name__} has no field {unknown[0]!r}; the file was written by another version "
            "of skylobe: install that version or remove the field."
        )
    return kind(**{name: _coerce(hints[name], one, name) for name, one in values.items()})


def _coerce(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401  (JSON values)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value)  # type: ignore[arg-type]
    if isinstance(hint, types.GenericAlias) and isinstance(value, list | tuple):
        return tuple(_coerce(typing.get_args(hint)[0], item, name) for item in value)
    if not _fits(hint, value):
        raise ConfigError(f"{name} is {value!r}; give {_wanted(hint)}.")
    return value


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        return any(_fits(one, value) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint in (int, float):
        numbers = (int, float) if hint is float else int
        return isinstance(value, numbers) and not isinstance(value, bool)
    return value is None if hint is types.NoneType else True


def _wanted(hint: Any) -> str:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        return " or ".join(_wanted(one) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return words.get(hint, "null")
