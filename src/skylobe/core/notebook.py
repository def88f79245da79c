"""Records to the HTML that a notebook shows; whatever is not ours is escaped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

MOST = 24  # sources that are shown; a notebook is kept with all its pictures
STYLE = """<style>
.skylobe { font: 13px/1.45 system-ui, "DejaVu Sans", sans-serif; max-width: 62rem; text-align: left; }
.skylobe .head { font-size: 15px; font-weight: 600; margin: 0 0 .1rem; }
.skylobe .lead { opacity: .72; margin: 0 0 .6rem; }
.skylobe .strip { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 .4rem; }
.skylobe figure { margin: 0; width: 96px; }
.skylobe figure img, .skylobe .none { width: 96px; height: 96px; border-radius: 5px; display: block; }
.skylobe figure .none { background: #8884; }
.skylobe figure.query img { outline: 3px solid #D55E00; }
.skylobe figcaption { font-size: 11px; line-height: 1.3; margin-top: 3px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.skylobe figcaption b { font-weight: 600; }
.skylobe table { border-collapse: collapse; margin: .2rem 0 .5rem; }
.skylobe th, .skylobe td { padding: .18rem .9rem .18rem 0; text-align: left; background: none;
  border: 0; border-bottom: 1px solid #8885; vertical-align: top; }
.skylobe th { font-weight: 600; }
.skylobe td.number { text-align: right; font-variant-numeric: tabular-nums; }
.skylobe .more { opacity: .72; font-size: 12px; } .skylobe .bar { fill: #0072B2; }
.skylobe svg text { fill: currentColor; font-size: 11px; }
.skylobe h2 { font-size: 14px; margin: .8rem 0 .2rem; }
.skylobe .card { max-height: 36rem; overflow: auto; } .skylobe .mark { stroke: #D55E00; }
.skylobe h1 { font-size: 17px; } .skylobe p { margin: .3rem 0; } .skylobe code { font-size: 12px; }
</style>"""


def frame(head: str, lead: str, *parts: str) -> str:
    """Put parts, HTML already, under a heading and a line of text.

    >>> "<script>" in frame("<script>", "it & they")
    False
    """
    texts = f'<p class="head">{escape(head)}</p><p class="lead">{escape(lead)}</p>'
    return f'{STYLE}<div class="skylobe">{texts}{"".join(parts)}</div>'


def strip(
    pictures: Sequence[str | None], captions: Sequence[Sequence[str]], n_queries: int = 0
) -> str:
    """Show pictures side by side, as many as ``MOST``.

    Args:
        pictures: Their addresses; ``None`` leaves a place empty.
        captions: Lines under each, the first of them in bold.
        n_queries: Pictures at the front that are framed as what was asked for.
    """
    shown = []
    for number, (address, lines) in enumerate(zip(pictures[:MOST], captions, strict=False)):
        image = f'<img src="{escape(address)}" alt="">' if address else '<div class="none"></div>'
        texts = [f"<b>{escape(lines[0])}</b>", *map(escape, lines[1:])]
        kind = ' class="query"' if number < n_queries else ""
        title = escape("\n".join(lines))
        shown.append(
            f'<figure{kind} title="{title}">{image}<figcaption>{"<br>".join(texts)}</figcaption></figure>'
        )
    return f'<div class="strip">{"".join(shown)}</div>'


def grid(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Show a table; numbers stand at the right."""
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    rows = "".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in lines)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if head else ''}<tbody>{rows}</tbody></table>"


def facts(named: Mapping[str, object]) -> str:
    """Show names and values."""
    return grid((), [(name, str(value)) for name, value in named.items()])


def more(hidden: int, what: str) -> str:
    """Say how many are not shown."""
    return f'<p class="more">and {hidden:,} {escape(what)} more</p>' if hidden > 0 else ""


def markdown(text: str) -> str:
    """Show Markdown; HTML in it is escaped, pictures are left out."""
    from markdown_it import MarkdownIt  # is needed for this alone

    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return f'<div class="card">{reader.render(text)}</div>'


class Number(str):
    """A number as it is written in a table: it stands at the right."""

    __slots__ = ()


def number(value: float, digits: int | None = None) -> Number:
    """Write a number with as many digits as are looked at.

    >>> number(0.51062728), number(17233.4), number(218.84699, 4), number(float("nan"))
    ('0.511', '17,233', '218.8470', '')
    """
    if value != value:
        return Number("")
    if digits is not None:
        return Number(f"{value:,.{digits}f}")
    size = abs(value)
    if size >= 1000:
        return Number(f"{value:,.0f}")
    return Number(
        f"{value:.1f}" if size >= 10 else f"{value:.3f}" if size >= 1e-3 else f"{value:.2g}"
    )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        value = Number(f"{value:,}")
    if isinstance(value, float):
        value = number(value)
    kind = ' class="number"' if isinstance(value, Number) else ""
    return f"<td{kind}>{escape(str(value))}</td>"
