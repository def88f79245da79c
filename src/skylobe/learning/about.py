"""What there is: versions, models, data sets, the cache, the device; or one model's card."""

from skylobe.core import paths, version
from skylobe.core.settings import to_dict
from skylobe.images import datasets
from skylobe.learning import card
from skylobe.models.loading import best_device, load_model, shipped_models


def about(model: str | None = None) -> tuple[dict[str, str], str]:
    """Give facts by name, and a text.

    Args:
        model: Give this model's preprocessing and the text of its card instead.
    """
    if model is not None:
        loaded = load_model(model)
        facts = {name: str(one) for name, one in to_dict(loaded.preprocessing).items()}
        return facts, card.split(loaded.card)[1]
    return version.versions() | {
        "models": ", ".join(shipped_models()) or "none",
        "data sets": ", ".join(datasets.NAMES),
        "cache": str(paths.cache_dir()),
        "device": best_device(),
    }, ""
