"""What frozen embeddings are worth: several sets, one classifier, the same splits for all of them.

Every set is divided once and for ever by where its sources lie on the sky. Choices between encoders are
made on the *choosing* part alone; what is reported is measured on the rest. A source that several sets
have is in the same part of all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skylobe.classify.adapt import fit_head
from skylobe.scores.draws import stratified_rows
from skylobe.scores.intervals import error_percent

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]

STRIP, EVERY = 3.0, 3  # degrees of right ascension; one strip of so many is for choosing
N_FOLDS = 5
PLAIN = "plain"  # marks what a plain discriminant made of an embedding
Classify = Callable[[Vectors], Labels]


def is_choosing(positions: SkyCoord) -> NDArray[np.bool_]:
    """Mark the sources by which encoders may be chosen.

    >>> is_choosing(SkyCoord([1.0, 4.0, 10.0, 9.5], [0.0, 50.0, -5.0, 0.0], unit="deg")).tolist()
    [True, False, True, True]
    """
    return np.asarray(np.floor(positions.ra.deg / STRIP).astype(int) % EVERY == 0)


@dataclass(frozen=True)
class Split:
    """One way to learn and to be tested.

    Args:
        train: Rows of the labels.
        test: Rows that errors are counted on.
        share: Size of the test fold over that of the training folds.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    share: float


def splits(
    labels: Labels,
    choosing: NDArray[np.bool_],
    n_labels: int | None,
    *,
    report: bool,
    n_repeats: int,
    seed: int = 0,
) -> Iterator[Split]:
    """Draw stratified folds.

    For choosing, only sources of the choosing part are learnt from and tested on. For a report all
    sources are learnt from, and errors are counted on the reporting part of each test fold.

    Args:
        labels: Class numbers.
        choosing: As ``is_choosing`` marks them.
        n_labels: Labels drawn from each training fold; ``None`` takes all of it.
        report: For a report, not for a choice.
        n_repeats: Times that folds are drawn.
        seed: Of folds and draws.
    """
    rows = np.arange(len(labels)) if report else np.flatnonzero(choosing)
    folds = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=n_repeats, random_state=seed)
    for number, (train, test) in enumerate(folds.split(rows, labels[rows])):
        share = len(test) / len(train)
        train, test = rows[train], rows[test]
        if n_labels is not None:
            train = train[stratified_rows(labels[train], n_labels, seed=seed + number)]
        yield Split(train, test[~choosing[test]] if report else test, share)


@dataclass(frozen=True)
class Scores:
    """Errors of several embeddings over the same splits.

    Args:
        errors: Per cent, one per split, by the embedding's name.
        share: As of ``Split``, their mean.
    """

    errors: dict[str, NDArray[np.float64]]
    share: float

    def difference(self, one: str, other: str) -> tuple[float, float, float]:
        """Compare two embeddings, split by split.

        Returns:
            Per cent: mean of ``one`` minus ``other`` and its standard error, corrected for splits that
            share sources; then the two-sided probability of such a difference by Student's t.

        Source: Nadeau & Bengio 2003: the variance over n splits weighs 1/n + test/training.
        """
        gap = self.errors[one] - self.errors[other]
        error = float(np.sqrt((1 / len(gap) + self.share) * gap.var(ddof=1)))
        mean = float(gap.mean())
        chance = 2 * float(stats.t.sf(abs(mean) / max(error, 1e-12), len(gap) - 1))
        return mean, error, chance


def score(
    vectors: Mapping[str, Vectors],
    labels: Labels,
    every_split: Iterator[Split],
    *,
    also_plain: str | None = None,
) -> Scores:
    """Fit one linear discriminant per split and embedding, and count its errors.

    Args:
        vectors: Embeddings by name.
        labels: Class numbers.
        every_split: As of ``splits``.
        also_plain: Of this embedding count those of ``plain_discriminant`` too.
    """
    fits = {name: (found, _discriminant) for name, found in vectors.items()}
    if also_plain is not None:
        fits[f"{also_plain}, {PLAIN}"] = (vectors[also_plain], plain_discriminant)
    errors: dict[str, list[float]] = {name: [] for name in fits}
    shares = []
    for one in every_split:
        shares.append(one.share)
        for name, (found, fit) in fits.items():
            predicted = fit(found[one.train], labels[one.train])(found[one.test])
            errors[name].append(error_percent(labels[one.test], predicted))
    return Scores({name: np.array(one) for name, one in errors.items()}, float(np.mean(shares)))


def _discriminant(vectors: Vectors, labels: Labels) -> Classify:
    """Fit the classifier of the fast budget."""
    head = fit_head(vectors, labels)

    def classify(asked: Vectors) -> Labels:
        with torch.inference_mode():
            found: Labels = head(torch.from_numpy(asked)).argmax(1).numpy()
        return found

    return classify


def plain_discriminant(vectors: Vectors, labels: Labels) -> Classify:
    """Fit scikit-learn's discriminant: each feature standardised, Ledoit and Wolf's shrinkage.

    It serves a few measures well that all vary, where the fast budget's is made for many features.
    """
    scaler = StandardScaler()
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    with threadpool_limits(1):
        fitted = make_pipeline(scaler, linear).fit(vectors.astype(np.float64), labels)

    def classify(asked: Vectors) -> Labels:
        return np.asarray(fitted.predict(asked.astype(np.float64)))

    return classify
