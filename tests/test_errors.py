import copy
import pickle

import pytest

from monai_cortex import errors
from monai_cortex.errors import CortexError, InputFileError, PluginError

KINDS = [getattr(errors, name) for name in errors.__all__]
PARTS = {
    "file": "data/s1/dwi.bval",
    "subject": "s1",
    "found": "68 values",
    "expected": "65 values, one for each volume",
    "remedy": "export the gradient table again",
}
TEXT = """the gradient table does not fit the image
  in: data/s1/dwi.bval (subject s1)
  found: 68 values
  expected: 65 values, one for each volume
  remedy: export the gradient table again"""


@pytest.mark.parametrize("kind", KINDS)
def test_message_names_every_part_in_five_lines(kind):
    error = kind("the gradient table does not fit the image", **PARTS)
    assert str(error) == TEXT
    assert len(str(error).splitlines()) == 5
    assert isinstance(error, CortexError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_error_survives_a_round_trip(kind, duplicate):
    error = duplicate(kind("broken", **PARTS))
    assert type(error) is kind
    assert str(error) == str(kind("broken", **PARTS))


@pytest.mark.parametrize("kind", KINDS)
def test_problem_alone_is_the_whole_message(kind):
    assert str(kind("broken")) == "broken"
    assert str(pickle.loads(pickle.dumps(kind("broken")))) == "broken"


def test_subject_stands_alone_where_there_is_no_file():
    assert str(CortexError("broken", subject="s1")) == "broken\n  in: subject s1"
    assert str(CortexError("broken", file="a.txt")) == "broken\n  in: a.txt"


def test_parts_of_any_type_become_text(tmp_path):
    error = CortexError("broken", file=tmp_path, found=[1, 2], expected=0)
    assert str(error) == f"broken\n  in: {tmp_path}\n  found: [1, 2]\n  expected: 0"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_names_with_line_ends_and_without_characters_print_anywhere():
    error = InputFileError("odd name", file="a\nb\udcff\t.nii", found="several\nlines", remedy="rename it")
    assert str(error).splitlines() == [
        "odd name",
        "  in: a\\nb\\udcff\\t.nii",
        "  found: several\\nlines",
        "  remedy: rename it",
    ]
    str(error).encode()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_plugin_error_is_a_failed_lookup_but_no_missing_attribute():
    """An AttributeError would be swallowed by hasattr and by the search for dotted names."""
    assert issubclass(PluginError, LookupError)
    assert not issubclass(PluginError, AttributeError)


def test_every_error_of_the_module_is_public():
    found = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CortexError)}
    assert found == set(errors.__all__)
    assert sorted(errors.__all__) == list(errors.__all__)
