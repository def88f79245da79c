"""Every command that writes, killed at each moment at which it changes the disk, and run twice at once."""

import shutil
from pathlib import Path

import pytest

from crash import jobs
from crash.killing import SERVER, count, kill, run, start

JOBS = {
    "predict": (jobs.prepare_predict, jobs.predict, jobs.holds_predict),
    "finetune": (jobs.prepare_finetune, jobs.finetune, jobs.holds_finetune),
    "index replaced": (jobs.prepare_index, jobs.replace_index, jobs.holds_replaced),
    "index appended": (jobs.prepare_index, jobs.append, jobs.holds_appended),
    "map": (jobs.prepare_index, jobs.map_again, jobs.holds_map),
    "tags": (jobs.prepare_tags, jobs.tag, jobs.holds_tags),
}


@pytest.fixture(autouse=True, scope="module")
def children():
    """A server whose children begin at once."""
    start()


def leftovers(folder: Path) -> list[str]:
    """List what no finished command leaves."""
    return [
        str(one.relative_to(folder))
        for one in folder.rglob("*")
        if one.name.startswith(".") or one.name.endswith(".parts")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_kill_leaves_the_old_or_the_new_whole_and_the_next_run_ends_it(name, tmp_path):
    prepare, job, holds = JOBS[name]
    prepare(tmp_path / "start")
    shutil.copytree(tmp_path / "start", tmp_path / "counted")
    moments = count(job, tmp_path / "counted")
    assert holds(tmp_path / "counted") == "new"
    found = []
    for moment in range(1, moments + 1):
        folder = tmp_path / f"killed{moment}"
        shutil.copytree(tmp_path / "start", folder)
        kill(job, folder, moment)
        found.append(holds(folder))
        run(job, folder)
        assert holds(folder) == "new"
        assert not leftovers(folder)
    assert found[0] == "old"
    assert found == sorted(found, reverse=True), "once new, always new"


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_two_at_once_end_with_the_new_and_none_twice(name, tmp_path):
    """One of the two may be told that another process writes; neither may spoil the other's work."""
    prepare, job, holds = JOBS[name]
    prepare(tmp_path / "start")
    for attempt in range(3):
        folder = tmp_path / f"attempt{attempt}"
        shutil.copytree(tmp_path / "start", folder)
        both = [SERVER.Process(target=job, args=(folder,)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(120)
        assert 0 in [one.exitcode for one in both]
        assert holds(folder) == "new"
        assert not leftovers(folder)
