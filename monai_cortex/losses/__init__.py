"""Losses: (prediction, target) to a differentiable scalar."""

from .adversarial import DiscriminatorLoss, GeneratorLoss
from .deconvolution import DeconvolutionLoss, DeconvolutionTerms
from .diffusion_registration import DiffusionRegistrationLoss
from .displacement_smoothness import displacement_smoothness
from .guided_registration import GuidedRegistrationLoss
from .known_motion import displacement_distance, warped_overlap_loss
from .score_matching import ScoreMatchingLoss
from .score_weighted_ncc import ScoreWeightedNCCLoss
from .sphere_registration import SphereRegistrationLoss, SphereRegistrationTerms
