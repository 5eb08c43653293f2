"""Losses: (prediction, target) to a differentiable scalar."""

from .adversarial import DiscriminatorLoss, GeneratorLoss
from .deconvolution import DeconvolutionLoss, DeconvolutionTerms
from .guided_registration import GuidedRegistrationLoss
from .score_matching import ScoreMatchingLoss
from .sphere_registration import SphereRegistrationLoss, SphereRegistrationTerms
