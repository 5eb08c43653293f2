"""Losses: (prediction, target) to a differentiable scalar."""

from .deconvolution import DeconvolutionLoss, DeconvolutionTerms
from .sphere_registration import SphereRegistrationLoss, SphereRegistrationTerms
