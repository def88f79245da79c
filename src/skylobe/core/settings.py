"""Frozen dataclasses to plain containers for JSON, and back, with every value checked against its type."""

import dataclasses
import numbers
import types
import typing
from dataclasses import asdict
from pathlib import Path
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
        values: Its fields; a missing field takes its default, one of a config within it that which this
            config gives it.

    Raises:
        ConfigError: If a field is unknown to this version, or they are no fields.

    >>> from skylobe.models.settings import EncoderConfig
    >>> from_dict(EncoderConfig, {"depth": 34})
    EncoderConfig(depth=34, stem='paper', width=64)
    """
    if not isinstance(values, dict):  # whatever a file of JSON says
        raise ConfigError(f"{kind.__name__} is {str(values)[:40]!r}; give its fields by name.")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{kind.__name__} has no field {unknown[0]!r}; the file was written by another version "
            "of skylobe: install that version or remove the field."
        )
    whole = {name: _whole(known[name], one) for name, one in values.items()}
    return kind(**{name: coerce(hints[name], one, name) for name, one in whole.items()})


def _whole(field: "dataclasses.Field[Any]", value: Any) -> Any:  # noqa: ANN401
    """Fill up part of a config within a config from what it is there by default."""
    if not isinstance(value, dict) or field.default_factory is dataclasses.MISSING:
        return value
    default = field.default_factory()
    return to_dict(default) | value if dataclasses.is_dataclass(default) else value


def given(kind: type[Config], values: dict[str, Any], what: str = "") -> Config:
    """Make a record of settings from keyword arguments.

    Args:
        kind: Class of the record. A field whose metadata names a unit takes a ``Quantity`` too.
        values: The arguments.
        what: Whose arguments they are, for the message.

    Raises:
        ConfigError: If there is no such argument, or it is of another kind.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(
            f"{what or 'This'} has no setting {unknown[0]!r}; it has {', '.join(fields)}."
        )
    plain = {
        name: in_unit(one, fields[name].metadata["unit"], name)
        if "unit" in fields[name].metadata
        else one
        for name, one in values.items()
    }
    return from_dict(kind, plain)


def in_unit(value: Any, unit: str, name: str) -> Any:  # noqa: ANN401  (a number, a quantity or None)
    """Give a quantity as a number in a unit; bare numbers, and several of either, are in it already.

    >>> from astropy import units as u
    >>> in_unit(4.5 * u.arcmin, "arcsec", "size"), in_unit(1.8 * u.arcsec / u.pix, "arcsec", "scale")
    (270.0, 1.8)

    Raises:
        ConfigError: If it is of another kind of unit.
    """
    if isinstance(value, list | tuple):
        return tuple(in_unit(one, unit, name) for one in value)
    if not hasattr(value, "to_value"):
        return value
    for suffix in ("", " / pix"):
        try:
            found = value.to_value(unit + suffix)
        except ValueError:  # astropy's errors of units are of this kind
            continue
        return tuple(found.tolist()) if getattr(found, "ndim", 0) else float(found)
    raise ConfigError(f"{name} is {value}; give it in {unit}.")


def coerce(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401  (JSON values)
    """Give a value as its type hint wants it: records from mappings, tuples from lists, paths from text.

    Raises:
        ConfigError: If it is of another kind.
    """
    if isinstance(value, numbers.Real) and hasattr(value, "item"):
        value = value.item()  # numpy's numbers
    for one in typing.get_args(hint) if _is_union(hint) else (hint,):
        if dataclasses.is_dataclass(one) and isinstance(value, dict):
            return from_dict(one, value)  # type: ignore[arg-type]
        if isinstance(one, types.GenericAlias) and _is_list(value):
            return tuple(coerce(typing.get_args(one)[0], item, name) for item in value)
        if one is Path and isinstance(value, str):
            return value if _is_union(hint) and str in typing.get_args(hint) else Path(value)
    if not _fits(hint, value):
        raise ConfigError(f"{name} is {value!r}; give {_wanted(hint)}.")
    return value


def _is_list(value: Any) -> bool:  # noqa: ANN401
    """Tell lists, arrays and columns from text and mappings."""
    if isinstance(value, str | bytes | dict):
        return False
    return hasattr(value, "__len__") and hasattr(value, "__iter__")


def _is_union(hint: Any) -> bool:  # noqa: ANN401
    return isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401
    if _is_union(hint):
        return any(_fits(one, value) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint in (int, float):
        numbers = (int, float) if hint is float else int
        return isinstance(value, numbers) and not isinstance(value, bool)
    if dataclasses.is_dataclass(hint):
        return isinstance(value, hint)  # type: ignore[arg-type]
    if isinstance(hint, types.GenericAlias):
        return isinstance(value, list | tuple) if typing.get_origin(hint) is not dict else True
    return value is None if hint is types.NoneType else True


def _wanted(hint: Any) -> str:  # noqa: ANN401
    if _is_union(hint):
        return " or ".join(_wanted(one) for one in typing.get_args(hint))
    if dataclasses.is_dataclass(hint):
        return f"a mapping of {', '.join(f.name for f in dataclasses.fields(hint))}"
    if isinstance(hint, types.GenericAlias):
        return "a list"
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return words.get(hint, "null")
