"""Files that are made to harm, through every door that reads files: a sentence each, quickly."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from hostile.run import DOORS, Found

SECONDS, MEGABYTES = 5, 500
LEAST = {"table": 150}  # files; of the other doors more


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_every_hostile_file_is_a_sentence(door):
    command = [sys.executable, "-m", "hostile.run", door]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}  # it finds modules as we do
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=os.environ | paths
    )
    found = [Found(*json.loads(line)) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-500:]
    assert len(found) >= LEAST.get(door, 350)
    assert not [one for one in found if not one.is_sentence]
    assert not [one for one in found if one.seconds > SECONDS or one.megabytes > MEGABYTES]
    kinds = Counter(one.name.partition(":")[0] for one in found if one.is_refused)
    assert min(kinds.values()) > 0
