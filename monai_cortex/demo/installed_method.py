"""The demonstration of a method that another distribution brings: its bundle on its sample data."""

from __future__ import annotations

from typing import cast

from monai_cortex.demo.demonstration import Demonstration, Finding
from monai_cortex.plugins import Method, get

__all__ = ["installed_demonstration"]


def installed_demonstration(slug: str) -> Demonstration:
    """How a method of another distribution is shown: ``inference.json`` without arguments.

    With steps, ``train.json`` (which needs the id ``steps``) comes first, and ``inference.json`` takes its ``weights``.

    Args:
        slug: name of the method.

    Raises:
        PluginError: there is no such method, or it cannot be used.
    """
    method = cast("Method", get("methods", slug))
    return Demonstration(
        bundle=method.bundle,
        data=f"Sample data of the bundle: {method.summary}",
        title="Run on the sample data",
        finding=lambda subject: Finding(f"results of {subject['subject']}"),
    )
