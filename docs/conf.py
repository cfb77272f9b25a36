"""How the documentation is built: `make docs`."""

import shutil
from pathlib import Path

from geoprobe.versions import __version__

HERE = Path(__file__).parent
# sphinx reads what lies below it
(HERE / "_notebooks").mkdir(exist_ok=True)
for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "_notebooks")

project = "geoprobe"
author = "The geoprobe developers"
release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_nb"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Geometric diagnostics of language models, each with its null",
    "page_width": "1040px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_show_sourcelink = False
html_title = f"geoprobe {__version__}"
myst_enable_extensions = ["colon_fence"]
# notebooks are stored as `make notebooks` ran them
nb_execution_mode = "off"
autodoc_typehints = "none"  # numpydoc's sections name the types
autosummary_generate = True
numpydoc_show_class_members = False
