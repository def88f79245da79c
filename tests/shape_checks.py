"""The checker that jaxtyping applies to every signature under test: an int may stand for a float."""

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from numpy.typing import NDArray

# beartype compares dtypes exactly, and no array of names has the abstract dtype str_
OVERRIDES = FrozenDict({NDArray[np.str_]: np.ndarray})

check = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=OVERRIDES))
