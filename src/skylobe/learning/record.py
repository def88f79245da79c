"""The record of a run: its settings and data, written first and compared when the run goes on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skylobe.core import storage
from skylobe.core.errors import CheckpointError
from skylobe.core.fingerprints import fingerprint
from skylobe.core.settings import from_dict, to_dict
from skylobe.core.version import versions
from skylobe.images.image_set import ImageSet
from skylobe.learning.settings import PretrainConfig, TrainConfig
from skylobe.models.model import Model, weights_fingerprint

RECORD_FILE = "config.json"
FREE = ("accelerator", "devices", "compile", "window", "checkpoint_minutes")  # where, not what


def describe(
    corpus: ImageSet, config: PretrainConfig, monitor_set: ImageSet | None, start: Model | None
) -> dict[str, Any]:
    """Write down all that defines a run: settings, versions, data, and the model it starts from."""
    excludes = set(corpus.excludes)
    before = {}
    if start is not None:
        seen = start.provenance.get("corpus", {})
        excludes &= set(seen.get("excludes", ()))
        before = {
            "start": {
                "name": start.name,
                "fingerprint": weights_fingerprint(start),
                "corpus": seen.get("name", "unknown"),
            }
        }
    record: dict[str, Any] = {
        "config": to_dict(config),
        "versions": versions(),
        "corpus": {
            "name": corpus.name,
            "survey": corpus.survey,
            "images": len(corpus),
            "sources": len(np.unique(corpus.source_ids)),
            "sha256": fingerprint(corpus.images),
            "excludes": [one for one in corpus.excludes if one in excludes],
        },
        "monitor": None if monitor_set is None else monitor_set.name,
        **before,
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def refuse_other_settings(out: Path, config: PretrainConfig) -> None:
    """Refuse a folder in which a run with other settings was begun, before any data are looked at.

    Raises:
        CheckpointError: If there is one.
    """
    before = _before(out)
    if before is not None and _binding(before.get("config", {})) != _binding(to_dict(config)):
        raise _not_this_run(out, "config")


def settle(out: Path, record: dict[str, Any]) -> None:
    """Write the run's settings and data, or check that an earlier start had the same data.

    Raises:
        CheckpointError: If it had others.
    """
    before = _before(out)
    if before is not None:
        if before.get("corpus") != record["corpus"]:
            raise _not_this_run(out, "corpus")
        if before.get("start") != record.get("start"):
            raise _not_this_run(out, "start")
        return
    out.mkdir(parents=True, exist_ok=True)
    storage.write_json(out / RECORD_FILE, record)


def _before(out: Path) -> dict[str, Any] | None:
    """Read what an earlier start wrote down."""
    path = out / RECORD_FILE
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _binding(settings: dict[str, Any]) -> PretrainConfig:
    """Read settings, those that may change while a run goes on set to their defaults."""
    config = from_dict(PretrainConfig, settings)
    default = TrainConfig()
    free = {name: getattr(default, name) for name in FREE}
    return replace(config, train=replace(config.train, **free))


def _not_this_run(out: Path, part: str) -> CheckpointError:
    return CheckpointError(
        f"{out}: holds a run with another {part}; choose a new folder, out=FOLDER, or "
        "give the settings in its config.json."
    )
