"""Whatever a terminal's character set lacks is spelt out; no command ends over a sign."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import skylobe
from skylobe.cli import main, terminal
from skylobe.cli.plain import speak_plainly
from skylobe.sky import surveys

SOURCE = Path(skylobe.__file__).parent
OWN = sorted({sign for path in SOURCE.rglob("*.py") for sign in path.read_text("utf-8")})
FEW = ("ascii", "latin-1", "cp1252", "cp437")


def spoken(text: str, encoding: str) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    speak_plainly(stream)
    stream.write(text)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", FEW)
@given(text=st.text(st.characters(codec=None, exclude_characters="\r\n")))
def test_any_text_can_be_said(encoding, text):
    known = text.encode(encoding, "ignore").decode(encoding)
    assert spoken(known, encoding) == known
    assert len(spoken(text, encoding)) >= len(known)


def test_names_of_files_that_are_no_text_can_be_said():
    assert spoken("\udcff.fits", "utf-8") == "?.fits"


def test_our_own_signs_are_spelt():
    signs = [one for one in OWN if not one.isascii()]
    assert len(signs) > 20
    unsaid = [one for one in signs if "?" in spoken(one, "ascii")]
    assert not unsaid, "spell them in cli.plain"


def test_a_table_is_drawn_where_there_are_no_lines_to_draw_it_with(monkeypatch, capsys):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    assert main.main(["surveys"]) == 0
    Console().print(terminal.survey(surveys.get("first")))
    stream.flush()
    shown = stream.buffer.getvalue().decode("ascii")
    assert 'beam "' in shown
    assert "?" not in shown
