"""What a setting may be is said where it is declared, for every number of every record of settings."""

import dataclasses
import importlib
import math
import pkgutil
import typing

import pytest

import skylobe
from skylobe.core.errors import ConfigError
from skylobe.core.ranges import Checked

ELSEWHERE = {"CurveConfig": {"train": None}, "CorpusSettings": {"survey": "first"}}  # of no default
RECORDS = "settings", "scaling", "probing", "scale", "method_settings", "tuning_settings"


def records() -> list[type]:
    """List all records of settings of the package."""
    for module in pkgutil.walk_packages(skylobe.__path__, "skylobe."):
        if module.name.rpartition(".")[2].endswith(RECORDS):
            importlib.import_module(module.name)
    found, left = [], [Checked]
    while left:
        found += (own := left.pop().__subclasses__())
        left += own
    return sorted({one for one in found if one.__module__.startswith("skylobe.")}, key=str)


def holds_numbers(hint: object) -> bool:
    return hint in (int, float) or any(
        holds_numbers(one)
        for one in typing.get_args(hint)
        if typing.get_origin(hint) is not typing.Literal
    )


FIELDS = [
    (kind, field.name)
    for kind in records()
    for field in dataclasses.fields(kind)
    if holds_numbers(typing.get_type_hints(kind)[field.name])
    and (kind.__name__, field.name) != ("Scale", "labels")  # compared with the experiment's rows
]


def made(kind: type, name: str, value: object) -> object:
    """Make a record with one odd value, and the defaults or whatever is right elsewhere."""
    given = ELSEWHERE.get(kind.__name__, {})
    for field in dataclasses.fields(kind):
        allowed = field.metadata.get("range")
        if field.default is dataclasses.MISSING and allowed is not None:
            given = {field.name: 2 if allowed.holds(2) else 1} | given
    hint = typing.get_type_hints(kind)[name]
    if any(typing.get_origin(one) is tuple for one in (hint, *typing.get_args(hint))):
        value = (value,) * 3 if "beam" in name else (value,) * 2
    return kind(**given | {name: value})


def test_there_are_records():
    assert len({kind for kind, _ in FIELDS}) > 15
    assert len(FIELDS) > 100


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda one: getattr(one, "__name__", one))
def test_every_number_says_what_it_may_be(kind, name):
    field = next(one for one in dataclasses.fields(kind) if one.name == name)
    allowed = field.metadata["range"]
    hint = typing.get_type_hints(kind)[name]
    values = [-(10**400), -1, 0, 1, 2, 10**400]
    if float in (hint, *typing.get_args(hint), *map(typing.get_args, typing.get_args(hint))):
        values += [math.nan, math.inf, -math.inf, -1e-9, -1.0, 0.0, 1.0, 2.0]
    for value in values:
        if abs(value) < 1e300 and allowed.holds(value):
            continue
        with pytest.raises(ConfigError, match=rf"{name}.* is .*; give ") as caught:
            made(kind, name, value)
        assert str(caught.value).count(". ") == 0, "one sentence"


def test_numbers_that_are_right_are_taken():
    for kind in records():
        if kind.__name__ not in ELSEWHERE and kind.__name__ != "Stage":
            kind()
