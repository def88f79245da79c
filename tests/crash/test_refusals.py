"""Every command that writes, where it may not: no room, a fixed folder, few files, little memory."""

import ctypes
import resource
import sys
from functools import partial

import pytest

from crash import commands
from crash.killing import start
from skylobe.core.errors import StorageError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set as Linux has them")
ROOM = 50  # bytes that a file may have: no command gets by with less
HANDLES, MEMORY = 64, 2 << 30
OUTRANKS = 0b110  # bits of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root write anywhere
NAMES = tuple(commands.commands(commands.Path(), commands.Path()))


@pytest.fixture(autouse=True, scope="module")
def children():
    """A server whose children begin at once."""
    start()


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What the commands read."""
    folder = tmp_path_factory.mktemp("read")
    commands.prepare(folder)
    return folder


def no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))


def little() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES, HANDLES))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def as_anybody() -> None:
    """Give up what root may do beyond others; whoever is not root has nothing to give up."""
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    held = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(head, held) == 0
    for bits in (0, 1):  # what holds, and what may be taken up again
        held[bits] &= ~OUTRANKS
    assert libc.capset(head, held) == 0


def as_it_is() -> None:
    """Set no limit."""


def ending(name, read, out, limit):
    """Run a command to its end; give its exit code and what it said."""
    return commands.run(commands.commands(read, out)[name], limit)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_one_sentence_and_nothing_half_stays(name, read, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    code, lines = ending(name, read, out, no_room)
    assert code == StorageError.exit_code, lines
    is_named = lines[-1].startswith(f"skylobe: {out}/")
    remedy = (
        "choose another place." if is_named else "set SKYLOBE_CACHE"
    )  # nothing else is written to
    assert f"make room, or {remedy}" in lines[-1]
    assert not [line for line in lines if "Traceback" in line]
    assert not [one for one in out.rglob("*") if ".skylobe" in str(one)]
    assert not [one for one in out.iterdir() if one.is_file() and one.suffix != ".lock"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_fixed_is_refused_before_time_is_spent(name, read, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o500)
    code, lines = ending(name, read, out, as_anybody)
    assert code == StorageError.exit_code, lines
    (line,) = lines
    assert "cannot be written; let it be written, or choose another place." in line


@pytest.mark.parametrize("name", NAMES)
def test_few_files_and_little_memory_are_enough(name, read, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    code, lines = ending(name, read, out, little)
    assert code == 0, lines


@pytest.mark.parametrize("name", ["predict", "pretrain"])
def test_no_memory_is_one_sentence(name, read, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    none = partial(resource.setrlimit, resource.RLIMIT_DATA, (64 << 20, 64 << 20))
    code, lines = ending(name, read, out, none)
    assert (code, lines[-1]) == (10, f"skylobe: {commands.main.FEWER}")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_the_way_is_refused_before_time_is_spent(name, read, tmp_path):
    """A folder where a file is to go, and a file where a folder is."""
    argv = commands.commands(read, tmp_path)[name]
    place = next(one for one in argv if str(tmp_path) in one).strip('[]"')
    if commands.main.COMMANDS[name].makes_folder:
        commands.Path(place).write_text("mine")
    else:
        commands.Path(place).mkdir()
    code, lines = commands.run(argv, as_it_is)
    assert code == StorageError.exit_code, lines
    assert "move it away" in lines[0]
