"""Work for the tests of processes apart."""

import os
import time

from skylobe.core.errors import ConfigError


def work(data, name, what):
    """Do what is asked."""
    if what == "answer":
        return {"name": name, "pid": os.getpid()}, data * 2
    if what == "complain":
        raise ConfigError(f"{name}: no.")
    if what == "compute":
        while True:
            data = data[::-1]
    if what == "sleep":
        time.sleep(60)
    if what == "grow":
        return {}, bytes(1_000_000_000)
    if what == "crash":
        os.abort()
    raise ValueError("an error that nobody thought of")
