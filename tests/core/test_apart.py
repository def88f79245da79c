"""What is done apart harms nothing, takes no more than it may, and is forgotten."""

import os
import threading
import time

import pytest

from skylobe.core.apart import Allowance, Apart
from skylobe.core.errors import DataError

ALLOWED = Allowance(seconds=1.0, size=200_000_000)


@pytest.fixture(scope="module")
def apart():
    made = Apart("core.apart_jobs:work", many=1)
    yield made
    made.close()


def test_answers_come_back_from_a_process_that_is_gone(apart):
    facts, data = apart(b"ab", "a", ALLOWED, what="answer")
    again, _ = apart(b"", "a", ALLOWED, what="answer")
    assert (facts["name"], data) == ("a", b"abab")
    assert len({facts["pid"], again["pid"], os.getpid()}) == 3


@pytest.mark.parametrize("what", ["compute", "sleep", "grow", "crash", "unforeseen"])
def test_what_takes_too_much_is_ended_and_the_next_is_answered(apart, what, capfd):
    start = time.monotonic()
    allowed = Allowance(0.2, ALLOWED.size) if what == "sleep" else ALLOWED  # the clock is patient
    with pytest.raises(DataError, match=r"^a: .*; save it again, plainly\.$"):
        apart(b"ab", "a", allowed, what=what)
    assert time.monotonic() - start < 30
    assert apart(b"a", "b", ALLOWED, what="answer")[1] == b"aa"
    capfd.readouterr()


def test_a_sentence_comes_back_as_one(apart):
    with pytest.raises(DataError, match=r"^a: no\.$"):
        apart(b"", "a", ALLOWED, what="complain")


def test_a_process_that_was_killed_is_replaced(apart):
    apart(b"", "a", ALLOWED, what="answer")
    for process in apart._idle:
        process.kill()
        process.wait()
    assert apart(b"a", "a", ALLOWED, what="answer")[1] == b"aa"


def test_many_wait_for_their_turn(apart):
    found = []

    def ask(number):
        found.append(apart(b"%d" % number, "a", ALLOWED, what="answer")[1])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(found) == [b"%d" % number * 2 for number in range(8)]
    assert len(apart._idle) == 1
