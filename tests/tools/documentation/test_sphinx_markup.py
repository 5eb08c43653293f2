"""Docstrings written for Sphinx come out as Markdown."""

import pytest


@pytest.fixture(scope="module")
def markup(load_tool):
    return load_tool("documentation/sphinx_markup")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Plain ``(V, 3)`` text.", "Plain ``(V, 3)`` text."),
        (r"with :math:`\lambda_l = l(l + 1)` of", r"with $\lambda_l = l(l + 1)$ of"),
        ("over :math:`a +\n    b`", "over $a + b$"),
        ("see :func:`warp` and :class:`~a.b.Net`", "see `warp` and `Net`"),
        (".. math:: a = b\n\nText", "\n$$ a = b $$\n\n\nText"),
        ("T\n\n.. math::\n\n    a\n    + b\n\nText", "T\n\n\n$$ a + b $$\n\n\nText"),
        ("    .. math:: a,\n        b\n    where", "\n    $$ a, b $$\n\n    where"),
    ],
)
def test_markup(markup, text, expected):
    assert markup.markdown(text) == expected
