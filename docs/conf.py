"""How the site is built: ``make docs``. Nothing is fetched, and a warning ends the build."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import site_pages  # noqa: E402

import skylobe  # noqa: E402

project = "skylobe"
author = "The skylobe developers"
copyright = author
version = release = skylobe.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_templates", "search.md"]  # searching.md: Sphinx has a search.html
templates_path = ["_templates"]
suppress_warnings = ["myst.header"]  # pages that are included begin at their own level
smartquotes = False  # options such as --out stay as they are typed

# pages
source_suffix = {
    ".rst": "restructuredtext",
    ".md": "myst-nb",
}  # the first is that of generated pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

# tutorials: run while the site is built, where the data are here
nb_execution_mode = "cache" if site_pages.data_are_here() else "off"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"  # a cell that fails ends the build

# reference
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 78
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# appearance
ICON = "../src/skylobe/app/static/icon.svg"
html_theme = "pydata_sphinx_theme"
html_title = f"skylobe {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = ICON
html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "text": "skylobe",
        "image_light": "_static/icon.svg",
        "image_dark": "_static/icon.svg",
    },
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
html_sidebars = {"index": []}

NOT_RUN = """
```{note}
Built without the data that the cells need, which are shown without what they give: set `SKYLOBE_MIRROR`.
```
"""
OUTSIDE = re.compile(r"(?<!!)\[([^\]]*)\]\(\.\./[^)]*\)")


def without_links_outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Keep the words of links that lead to files of the repository, which the site does not hold."""
    text = source[0].replace("](../search.md", "](../searching.md")
    text = OUTSIDE.sub(lambda link: link[0] if docname.count("/") else link[1], text)
    source[0] = text.replace("](search.md", "](searching.md")
    if nb_execution_mode == "off" and docname.startswith("tutorials/"):
        source[0] += NOT_RUN


def made_by_scikit_learn(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out ``set_…_request``, which scikit-learn gives every class built on its own."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app: Sphinx) -> None:
    """Write the pages that follow the code, and hook in what pages go through."""
    site_pages.write(HERE)
    app.connect("source-read", without_links_outside)
    app.connect("autodoc-skip-member", made_by_scikit_learn)
