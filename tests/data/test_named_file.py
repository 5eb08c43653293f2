from monai_cortex.data.named_file import NamedFile
from monai_cortex.errors import InputFileError


def test_refusal_names_file_and_subject(refused):
    file = NamedFile("some/lh.sphere", "sub-1")
    words = ("no good", "in: some/lh.sphere (subject sub-1)", "found: 1", "expected: 2")
    refused(InputFileError, lambda: file.refuse("no good", 1, 2), *words, "copy or export")
    refused(InputFileError, lambda: file.refuse("no good", 1, 2, "mend it"), *words, "remedy: mend it")
