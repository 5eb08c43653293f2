"""Inference and training steps: what loops over time, windows or batches."""

from .atrophy_series import AtrophySeries
from .bridge import BridgeInferer, BridgePrepareBatch
from .cortex_synthesis import CortexSynthesizer, SyntheticBrain
from .deconvolution import prepare_deconvolution_batch
from .direct_synthesis import DirectInferer, DirectPrepareBatch
from .displacement_refinement import FROM_NETWORK, FROM_ZERO, RefinementLevel, RefinementOptions, refine
from .draw_image import DrawImage
from .feature_sign import opposite_agreement
from .field_of_images import FieldOfImages
from .heat_reversal import reverse_heat
from .image_pair_batch import ImagePairBatch
from .image_registration import ImageRegistrar, ImageRegistration
from .image_translation import ImageTranslationTrainer, PatchScores
from .noise_diffusion import NoiseDiffusionInferer, NoiseDiffusionPrepareBatch
from .registration_batch import RegistrationBatch
from .registration_pairs import RegistrationPairs, registration_pairs, smooth_features
from .rigid_sphere import align_rotation
from .score_guided_registration import FieldOfPair, GuidedRegistration, GuidedStep, ScoreGuidedRegistration
from .sliding_network import SlidingNetwork
from .sphere_delivery import Delivery, deliver
from .sphere_refinement import RefinementStage, refine_sphere
from .sphere_registration import SphereRegistrar, register_sphere
from .surface_reconstruction import ReconstructedSurfaces, jitter_surfaces, reconstruct_surfaces
from .synthesis_measures import atrophy_response, image_errors, surface_errors
from .thickness_recovery import ThicknessRecovery, recover_thickness
from .tractography import TrackingOptions, seed_points, track_fibers, track_file
