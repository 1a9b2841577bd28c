"""Sphinx configuration: Markdown pages by MyST, the theme Furo, and reference pages that are generated from the code.

``make docs`` builds the site into build/docs; warnings are errors.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

import facelet  # noqa: E402

project = "Facelet"
author = "Facelet's maintainers"
version = release = facelet.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "facelet_reference",
]
exclude_patterns = ["_ext", "runs"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

smartquotes_action = "D"
html_theme = "furo"
html_title = f"Facelet {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["crop.json"]
html_show_sourcelink = False
html_show_copyright = False
toc_object_entries = False
python_use_unqualified_type_names = True
copybutton_exclude = ".linenos, .gp, .go"
