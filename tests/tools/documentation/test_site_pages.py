"""Pages of the site: what is shown, how links change, what patterns of the navigation stand for."""

import pytest


@pytest.fixture(scope="module")
def site(load_tool):
    return load_tool("documentation/site_pages")


BORROWED = {"bundles/a/docs/README.md": "bundles/a/README.md", "CHANGELOG.md": "changelog.md"}


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("index.md", "guides/b.md#c", "guides/b.md#c"),
        ("guides/b.md", "../index.md", "../index.md"),
        ("guides/b.md", "../../bundles/a/docs/README.md#limits", "../bundles/a/README.md#limits"),
        ("index.md", "../CHANGELOG.md", "changelog.md"),
        ("bundles/a/README.md", "../../../docs/evidence/e.md", "../../evidence/e.md"),
        ("bundles/a/README.md", "../../../tools/x.py", "../../../tools/x.py"),
        ("index.md", "https://monai.io", "https://monai.io"),
        ("index.md", "#here", "#here"),
    ],
)
def test_links_between_files_lead_between_pages(site, page, link, expected):
    assert site.relink(f"see ![it]({link}) here", page, BORROWED) == f"see ![it]({expected}) here"


def test_patterns_take_what_nothing_else_names(site):
    navigation = ["index.md", {"A": ["a/one.md", "a/*.md"]}, {"B": ["b/*.md"]}, {"Rest": ["*.md"]}]
    pages = ["a/three.md", "a/one.md", "a/two.md", "a/deep/four.md", "index.md", "more.md"]
    assert site.expand_navigation(navigation, pages) == [
        "index.md",
        {"A": ["a/one.md", "a/three.md", "a/two.md"]},
        {"Rest": ["more.md"]},
    ]


def test_reference_has_every_public_module_once(site, repository):
    package = repository / "monai_cortex"
    text = "\n".join(site.reference_pages(package).values())
    named = [line.removeprefix("::: ") for line in text.splitlines() if line.startswith(":::")]
    files = [path for path in package.rglob("*.py") if not path.name.startswith("_")]
    modules = [".".join(path.relative_to(repository).with_suffix("").parts) for path in files]
    assert sorted(named) == sorted(
        name for name in modules if not name.startswith(tuple(f"monai_cortex.{part}." for part in ("commands", "demo")))
    )


def test_bundles_lend_their_pages_and_pictures(site, repository):
    found = site.borrowed_files(repository)
    assert found["bundles/shd_deconvolution/docs/README.md"] == "bundles/shd_deconvolution/shd_deconvolution.md"
    assert found["bundles/shd_deconvolution/docs/qc.png"] == "bundles/shd_deconvolution/qc.png"
    assert all((repository / name).is_file() for name in found)
