from dataclasses import dataclass, field

import pytest

from skylobe.classify.settings import AdaptConfig
from skylobe.core.errors import ConfigError
from skylobe.core.settings import from_dict, to_dict
from skylobe.learning.recipes import finetune_recipe, recipe
from skylobe.learning.settings import PretrainConfig
from skylobe.learning.tuning_settings import FinetuneConfig


@pytest.mark.parametrize("name", ["paper", "skylobe"])
def test_a_config_comes_back_from_plain_containers(name: str):
    assert from_dict(FinetuneConfig, to_dict(finetune_recipe(name))) == finetune_recipe(name)
    assert from_dict(PretrainConfig, to_dict(recipe(name))) == recipe(name)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (AdaptConfig, {"n_views": 3}, "n_views is 3; give 1 or 8"),
        (AdaptConfig, {"method": "forest"}, "discriminant or logistic or ridge"),
        (AdaptConfig, {"with_measures": "no"}, "true or false"),
        (FinetuneConfig, {"n_blocks": "two"}, "a whole number or null"),
        (FinetuneConfig, {"n_blocks": 1.5}, "a whole number or null"),
        (FinetuneConfig, {"lr": "fast"}, "lr is 'fast'; give a number"),
        (FinetuneConfig, {"views": {"rotation": None}}, "rotation is None; give a number"),
        (FinetuneConfig, {"soup": 1}, "no field 'soup'"),
    ],
)
def test_settings_of_the_wrong_kind_are_named_with_what_is_right(kind, values, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(kind, values)


@dataclass(frozen=True)
class Inner:
    one: int = 1
    other: int = 2


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=lambda: Inner(other=5))


def test_part_of_an_inner_config_keeps_the_rest_of_what_the_outer_gives_it():
    assert from_dict(Outer, {"inner": {"one": 7}}) == Outer(Inner(7, 5))
    assert from_dict(Outer, {}) == Outer(Inner(1, 5))
