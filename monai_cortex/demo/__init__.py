"""Demonstrations: each runs a bundle through the stock client and shows what came out."""

from .cor2vox_synthesis import demonstrate as demonstrate_cor2vox_synthesis
from .fsdiffreg_cardiac import demonstrate as demonstrate_fsdiffreg_cardiac
from .session import Step, run_steps
from .shd_deconvolution import demonstrate as demonstrate_shd_deconvolution
from .spherical_diffusion_registration import demonstrate as demonstrate_spherical_diffusion_registration

__all__ = ["DEMONSTRATIONS", "Step", "run_steps"]

DEMONSTRATIONS = {
    "shd_deconvolution": demonstrate_shd_deconvolution,
    "spherical_diffusion_registration": demonstrate_spherical_diffusion_registration,
    "cor2vox_synthesis": demonstrate_cor2vox_synthesis,
    "fsdiffreg_cardiac": demonstrate_fsdiffreg_cardiac,
}
