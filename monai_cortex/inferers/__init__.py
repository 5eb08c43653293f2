"""Inference and training steps: what loops over time, windows or batches."""

from .deconvolution import prepare_deconvolution_batch
from .feature_sign import opposite_agreement
from .heat_reversal import reverse_heat
from .registration_batch import RegistrationBatch
from .registration_pairs import RegistrationPairs, registration_pairs, smooth_features
from .rigid_sphere import align_rotation
from .score_guided_registration import FieldOfPair, GuidedRegistration, GuidedStep, ScoreGuidedRegistration
from .sphere_delivery import Delivery, deliver
from .sphere_refinement import RefinementStage, refine_sphere
from .sphere_registration import SphereRegistrar, register_sphere
from .tractography import TrackingOptions, seed_points, track_fibers, track_file
