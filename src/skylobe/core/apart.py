"""Work on what strangers made, in a process of its own: limited in time and memory, harming nothing.

A process that has loaded everything waits, and forks a child for each piece of work, which ends with it.
What comes back is facts and bytes, never objects. Systems that cannot fork do the work in the waiting
process, which is killed and replaced when it is over its time, and has no limit of memory.
"""

import atexit
import importlib
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from skylobe.core.errors import DataError, SkylobeError

Facts = dict[str, Any]
Work = Callable[..., tuple[Facts, bytes]]
LENGTHS = struct.Struct(">IQ")  # of the facts and of the bytes behind them
START = "import sys; from skylobe.core.apart import serve; serve(sys.argv[1])"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PATIENCE = 20  # seconds of the clock for one of the processor
GRACE = 20.0  # seconds beyond the limit, in which the process starts and its child is buried
is_apart = False  # whether this process is such a one


@dataclass(frozen=True)
class Allowance:
    """What one piece of work may take.

    Args:
        seconds: Of the processor. Of the clock ``PATIENCE`` times as many, so that no honest file is
            refused because the machine is busy.
        size: Bytes of memory beyond those of the waiting process.
    """

    seconds: float
    size: int


class Apart:
    """Processes that do one kind of work; they start when they are needed, and end with ours.

    Args:
        work: ``module:function``; it takes bytes and what else is said, and gives facts that JSON
            can hold, and bytes. The module's ``rehearse`` is called first, if it has one.
        many: Pieces of work at one time; others wait.
    """

    def __init__(self, work: str, many: int = 2) -> None:
        self._work, self._many = work, many
        self._places, self._idle = threading.Semaphore(many), list[subprocess.Popen[bytes]]()
        self._owner = os.getpid()
        atexit.register(self.close)

    def warm(self) -> None:
        """Start the processes, so that nobody waits for them."""
        self._idle.extend(self._started() for _ in range(self._many - len(self._idle)))

    def close(self) -> None:
        """End the processes that wait."""
        while self._idle and self._owner == os.getpid():
            _end(self._idle.pop())

    def __call__(
        self,
        data: bytes,
        name: str,
        allowed: Allowance,
        **said: Any,  # noqa: ANN401  (whatever JSON can hold)
    ) -> tuple[Facts, bytes]:
        """Have a piece of work done.

        Args:
            data: What it is done on.
            name: What messages call it; passed on.
            allowed: What it may take.
            **said: Passed on.

        Raises:
            DataError: If it cannot be done, or takes more than it may.
        """
        with self._places:
            process = self._taken()
            watch = threading.Timer(PATIENCE * allowed.seconds + GRACE, process.kill)
            watch.start()
            answer = None
            try:
                with suppress(OSError):
                    asked = {"seconds": allowed.seconds, "size": allowed.size}
                    _write(process.stdin, {**asked, "said": {"name": name, **said}}, data)
                    answer = _read(process.stdout)
            finally:
                watch.cancel()
                if answer is None:
                    _end(process)
                else:
                    self._idle.append(process)
        if answer is None or "over" in answer[0]:
            raise DataError(
                f"{name}: cannot be read within {allowed.seconds:g} s and {allowed.size // 1_000_000} MB; "
                "save it again, plainly."
            )
        if "error" in answer[0]:
            raise DataError(str(answer[0]["error"]))
        return answer

    def _taken(self) -> subprocess.Popen[bytes]:
        """Give a process that waits, or a new one; never one of the process that we were forked from."""
        if self._owner != os.getpid():
            self._idle, self._owner = [], os.getpid()
        with suppress(IndexError):
            process = self._idle.pop()
            if process.poll() is None:
                return process
            _end(process)
        return self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        paths = {"PYTHONPATH": os.pathsep.join(sys.path)}  # it finds modules as we do
        return subprocess.Popen(
            [sys.executable, "-c", START, self._work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | paths | ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for us
        )


def serve(work: str) -> None:
    """Do pieces of work until the process that asks for them has ended."""
    global is_apart
    is_apart = True
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints spoils no answer
    module, _, function = work.partition(":")
    home = importlib.import_module(module)
    getattr(home, "rehearse", lambda: None)()
    while (asked := _read(sys.stdin.buffer)) is not None:
        _write(answers, *_answer(getattr(home, function), *asked))


def _answer(function: Work, asked: Facts, data: bytes) -> tuple[Facts, bytes]:
    if sys.platform == "win32":
        return _done(function, asked["said"], data)
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _limit(asked["seconds"], asked["size"])
            with os.fdopen(there, "wb") as pipe:
                _write(pipe, *_done(function, asked["said"], data))
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        answer = _read(pipe)
    os.waitpid(child, 0)
    return answer or ({"over": True}, b"")


def _done(function: Work, said: Facts, data: bytes) -> tuple[Facts, bytes]:
    try:
        return function(data, **said)
    except SkylobeError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"over": True}, b""


def _limit(seconds: float, size: int) -> None:
    """Have the system end this process when it takes more, whatever code runs."""
    if sys.platform == "win32":
        return
    import resource  # absent there
    import signal

    os.nice(5)  # who asks for what is quickly done goes first
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
    most = {
        resource.RLIMIT_CPU: int(seconds + 1),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    with suppress(OSError):  # where there is no such file the limit would not be kept either
        with open("/proc/self/statm", encoding="ascii") as file:
            present = int(file.read().split()[0]) * resource.getpagesize()
        most[resource.RLIMIT_AS] = present + size
    for kind, value in most.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            assert pipe is not None
            pipe.close()


def _write(stream: IO[bytes] | None, facts: Facts, data: bytes) -> None:
    assert stream is not None
    said = json.dumps(facts).encode()
    stream.write(LENGTHS.pack(len(said), len(data)) + said)
    stream.write(data)
    stream.flush()


def _read(stream: IO[bytes] | None) -> tuple[Facts, bytes] | None:
    """Read facts and bytes; ``None`` where the other end is gone, in the middle or before."""
    assert stream is not None
    head = stream.read(LENGTHS.size)
    if len(head) < LENGTHS.size:
        return None
    lengths = LENGTHS.unpack(head)
    said, data = (stream.read(length) for length in lengths)
    return (json.loads(said), data) if (len(said), len(data)) == lengths else None
