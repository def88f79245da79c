"""Thousands of requests to services that fail one time in five, the client killed on the way."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sky import bulk_client
from sky.fake_services import FakeServices, peak_at

MISBEHAVIOUR = (
    "timeout", "drop", "500", "429", "html200", "truncated", "short", "wrong_size", "all_nan"
)  # fmt: skip
SHARE = 0.2
HOPELESS = 0.01  # share of sources that are answered with one fault for ever
N_REQUESTS = 5000


def fault_of(number, params):
    """Every fifth request fails; some sources always do."""
    where = params.get("Position") or params["wcs"]
    own = random.Random(where)
    if own.random() < HOPELESS:
        return own.choice(MISBEHAVIOUR[2:])
    chance = random.Random(number)
    return chance.choice(MISBEHAVIOUR) if chance.random() < SHARE else "ok"


@pytest.mark.slow
def test_no_source_is_lost_twice_or_wrong(tmp_path):
    n = N_REQUESTS
    listed = bulk_client.sources(n)
    with FakeServices(fault_of, retry_after="0") as server:
        command = [sys.executable, bulk_client.__file__, str(tmp_path / "c"), server.url, str(n)]
        for goal in (n // 3, 2 * n // 3):
            client = subprocess.Popen(command)
            while len(server.requests) < goal and client.poll() is None:
                time.sleep(0.02)
            assert client.poll() is None, "it was to be killed while it worked"
            client.send_signal(signal.SIGKILL)
            client.wait()
            kept = bulk_client.open_corpus(tmp_path / "c").ids()
            assert 0 < len(kept) < n
        subprocess.run(command, check=True, timeout=300)
        made = len(server.requests)
        subprocess.run(command, check=True, timeout=60)
        assert len(server.requests) == made, "what is finished is not asked for again"
    assert made >= N_REQUESTS
    corpus = bulk_client.open_corpus(tmp_path / "c")
    accepted = check_accepted(corpus, listed)
    failed = corpus.failures()
    assert sorted([*accepted, *failed]) == sorted(listed.ids)
    assert all(failed.values())
    assert 0.005 * n < len(failed) < 0.1 * n
    lost = 3 * bulk_client.CONFIG.batch_size
    assert made < n * (1 + 2 * SHARE) + 2 * lost, "a kill costs no more than the batch in flight"


def check_accepted(corpus, listed):
    """Compare every accepted field with what the server draws there."""
    place = {name: row for row, name in enumerate(listed.ids.tolist())}
    names = []
    for batch in corpus.batches():
        rows = [place[name] for name in batch.ids.tolist()]
        ra, dec = listed.positions.ra.deg[rows], listed.positions.dec.deg[rows]
        np.testing.assert_array_equal(batch.positions.ra.deg, ra)
        middle = batch.pixels[:, 5:7, 5:7].mean((1, 2)).numpy()
        expected = np.array([peak_at(*one) for one in zip(ra, dec, strict=True)])
        stencil = np.exp(-4 * np.log(2) * 0.5 / 36) + 1e-4
        np.testing.assert_allclose(middle, expected * stencil, rtol=1e-4)
        names += batch.ids.tolist()
    return names
