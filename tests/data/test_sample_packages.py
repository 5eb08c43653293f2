from monai_cortex.data.sample_packages import missing_package
from monai_cortex.errors import ConfigError


def test_error_names_package_and_remedy(refused):
    def fail():
        raise missing_package("nilearn")

    refused(ConfigError, fail, "no nilearn", "pip install nilearn")
