"""Templates and values to pages that need no other file."""

from importlib import resources
from pathlib import Path

import jinja2

from skylobe.core import storage


def write(template: str, out: Path, **values: object) -> Path:
    """Fill a template of the package and write the page, complete or not at all.

    Args:
        template: File name of the template.
        out: HTML file to write.
        **values: What the template speaks of; each must be given, and text in them is escaped.
    """
    page = render(template, **values)
    with storage.write_atomically(out) as path:
        path.write_text(page, encoding="utf-8")
    return out


def render(template: str, **values: object) -> str:
    """Fill a template of the package, as ``write`` does."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    return environment.get_template(template).render(**values)


def _read(template: str) -> str:
    return resources.files("skylobe").joinpath(template).read_text(encoding="utf-8")


def write_section(path: Path, name: str, text: str) -> Path:
    """Put text between the marks of a section of a Markdown file; a new section goes to the end.

    Args:
        path: File to change, complete or not at all; made if missing.
        name: Of the section, in its marks.
        text: Markdown.
    """
    start, end = f"<!-- {name}: made by a command -->", f"<!-- end of {name} -->"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = "\n"
    if start in before:
        before, _, rest = before.partition(start)
        after = rest.partition(end)[2]
    elif before:
        before = before.rstrip("\n") + "\n\n"
    with storage.write_atomically(path) as temporary:
        temporary.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")
    return path
