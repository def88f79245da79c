"""Which numbers a setting may be: said where it is declared, looked at when its record is made."""

import numbers
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple

from skylobe.core.errors import ConfigError


class Range(NamedTuple):
    """Numbers that are allowed; infinite ones and NaN are of no range.

    Args:
        words: What messages ask for.
        holds: Tells whether a finite number is one of them.
    """

    words: str
    holds: Callable[[Any], bool]


ABOVE_0 = Range("a number above 0", lambda x: x > 0)
FROM_0 = Range("0 or more", lambda x: x >= 0)
FROM_1 = Range("1 or more", lambda x: x >= 1)
SHARE = Range("a share from 0 to 1", lambda x: 0 <= x <= 1)
PART = Range("a share above 0, up to 1", lambda x: 0 < x <= 1)
BELOW_1 = Range("a share from 0 to below 1", lambda x: 0 <= x < 1)
BETWEEN = Range("a share between 0 and 1, such as 0.9", lambda x: 0 < x < 1)
COSINE = Range("a number from -1 to 1", lambda x: -1 <= x <= 1)
SEED = Range(f"a number from 0 to {2**32 - 1}", lambda x: 0 <= x < 2**32)
FINITE = Range("a finite number", lambda x: True)
LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Checked:
    """A record of settings, of which no number is outside what its field says."""

    def __post_init__(self) -> None:
        """Refuse numbers that are outside."""
        for one in fields(self):
            allowed = one.metadata.get("range")
            if allowed is not None:
                insist(getattr(self, one.name), one.name, allowed)


def within(allowed: Range, default: Any = MISSING, unit: str | None = None) -> Any:  # noqa: ANN401
    """Declare a number of a record.

    Args:
        allowed: What it may be; of a tuple each of its numbers.
        default: As of any field; without it the number must be given.
        unit: In which bare numbers are; quantities are taken too.
    """
    metadata = {"range": allowed} | ({} if unit is None else {"unit": unit})
    return field(default=default, metadata=metadata)


def insist(value: Any, name: str, allowed: Range) -> None:  # noqa: ANN401  (a number, or whatever else)
    """Refuse a number that is outside a range; what is no number at all is refused by its type.

    Args:
        value: A number, several, or what stands for none.
        name: What messages call it.
        allowed: What it may be.

    Raises:
        ConfigError: If it is outside, infinite or NaN.

    >>> insist(-0.1, "train.lr", ABOVE_0)
    Traceback (most recent call last):
        ...
    skylobe.core.errors.ConfigError: train.lr is -0.1; give a number above 0.
    """
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, bool) or not isinstance(one, numbers.Real):
            continue
        number = int(one) if isinstance(one, numbers.Integral) else float(one)  # of any length
        if not (abs(number) <= LARGEST and allowed.holds(number)):  # NaN is not either
            raise ConfigError(f"{name} is {value}; give {allowed.words}.")
