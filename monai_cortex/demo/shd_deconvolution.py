"""Deconvolve real diffusion MRI, beside constrained spherical deconvolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monai_cortex.demo.demonstration import Demonstration, Finding
from monai_cortex.visualize import Table

__all__ = ["DEMONSTRATION"]


def _tables(subject: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(
        ["method", "residual [% of b = 0]", "mean angle to CSD [degree]", "inference [s]"],
        [
            [
                "SHD-TV, adapted",
                subject["residual_percent"],
                subject["angle_to_csd_degree"],
                subject["inference_time_s"],
            ],
            ["CSD (dipy)", subject["csd_residual_percent"], None, subject["csd_time_s"]],
        ],
        "Residual: root mean square over volumes. Angles: between first peaks where fractional anisotropy > 0.3.",
    )


def _finding(subject: Mapping[str, Any]) -> Finding:
    before = f"{subject['csd_residual_percent']:.1f} (CSD)"
    return Finding("unexplained signal [% of b = 0]", f"{subject['residual_percent']:.1f}", before)


DEMONSTRATION = Demonstration(
    bundle="shd_deconvolution",
    data="A real scan, small_64D of dipy: 10 x 10 x 10 voxels, 64 directions near b = 1000 s/mm\u00b2",
    title="Adapt the shipped weights to a real scan, infer, compare with constrained spherical deconvolution (CSD)",
    configs=("fit", "evaluate"),
    fit_steps=60,
    finding=_finding,
    tables=_tables,
)
