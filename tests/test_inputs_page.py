"""Each line of the contract on inputs leads to a test that there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "inputs.md"
HEADS = ("| what", "| refused |", "|---")
LINK = re.compile(r"\]\(\.\./(tests/[^)#]+)#(test_\w+)\)")


def test_every_line_names_tests_that_exist():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [one for one in lines if one.startswith("|") and not one.startswith(HEADS)]
    assert len(rows) > 40
    for row in rows:
        assert LINK.search(row), row
    for file, name in LINK.findall("\n".join(lines)):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}: {name}"
