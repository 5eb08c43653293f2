"""Packages that ship or make sample data, and may not be installed."""

from __future__ import annotations

from monai_cortex.errors import ConfigError

__all__ = ["missing_package"]


def missing_package(name: str) -> ConfigError:
    """Error for sample data that need a package which is not installed.

    Args:
        name: of the package.
    """
    return ConfigError(
        "the sample data need a package that is not installed",
        found=f"no {name}",
        expected=f"{name}, which ships or makes them",
        remedy=f"pip install {name}, or set dataset_dir to your own data",
    )
