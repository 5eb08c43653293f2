"""The text that is checked is the text that MONAI evaluates."""

import pytest
from monai.bundle.reference_resolver import ReferenceResolver

from monai_cortex.zoo.expressions import substituted, unsafe_parts


@pytest.mark.parametrize("text", ["@a + 1", "@a::b::0 * @a", "'@f {x}'", "@ab + @a", "@a#b", "f(@a)[@b]", "'#'"])
def test_substitution_is_that_of_monai(text):
    refs = dict.fromkeys(["a", "ab", "b", "f", "a::b", "a::b::0"], 1)
    assert "$" + substituted(text) == ReferenceResolver.update_refs_pattern("$" + text, refs)


@pytest.mark.parametrize(
    "text",
    [
        "@network.to(@device)",
        "'cuda' if torch.cuda.is_available() else 'cpu'",
        "@bundle_root + '/models/model.pt'",
        "str(@path).rpartition('/')[2].strip(\"'\")",
        "int(os.environ.get('RANK', '0'))",
        "[h.attach(@trainer) for h in @handlers]",
        "list(map(lambda step: step * 2, range(@epochs)))",
        "monai.handlers.from_engine(['pred', 'label'])",
        "max(1, @steps // @epochs)",
    ],
)
def test_harmless_expression(text):
    assert list(unsafe_parts(text)) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("@x.y.z", "?.y"),
        ("os", "os"),
        ("@imports", "reference @imports"),
        ("@imports::0", "reference @imports::0"),
        ("@", "reference @"),
        ("@::x", "reference @::x"),
        ("__local_refs", "__local_refs"),
        ("__local_refs[__local_refs]", "reference @"),
        ("(lambda open: 1)(2)", "open"),
        ("2 ** 3", "a power, which may take all memory"),
        ("1 << 3", "a power, which may take all memory"),
        ("b'x'", "bytes"),
        ("1000000000", "the number 1e+09"),
        ("'..' + '/x'", "the text '..'"),
        ("'ht' + 'tp:' + '//x'", "the text 'http://x'"),
        ("a b", "text that is not Python"),
    ],
)
def test_unsafe_part_is_named(text, part):
    assert part in list(unsafe_parts(text))
