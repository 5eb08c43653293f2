"""Metrics: (prediction, target) to a number that is reported."""

from .cardiac_function import CardiacFunction, cardiac_function, myocardial_jacobian
from .cortical_thickness import CorticalThicknessChange, cortical_thickness, cortical_thickness_change
from .displacement_error import DisplacementError, end_point_error, inverse_consistency_error
from .equivariance import equivariance_error
from .fiber_detection import FiberDetection, FiberDetectionMetric, fiber_detection
from .folding import Folding, FoldingMetric, folding, folding_by_region, heart_mask
from .image_similarity import ImageSimilarity, ImageSimilarityMetric, image_similarity, tissue_error
from .label_overlap import LabelOverlap, label_overlap
from .orientation_difference import orientation_difference
from .paired_tests import PairedTests, paired_t_tests
from .reconstruction_residual import ReconstructionResidual, reconstruction_residual
from .registration_agreement import RegistrationAgreement
from .sphere_agreement import SphereAgreement, sphere_agreement
from .streamline_scores import StreamlineScores, streamline_scores
from .structure_overlap import STRUCTURES, StructureOverlap, StructureOverlapMetric, structure_overlap
from .surface_distance import SurfaceDistance, SurfaceDistances, surface_distance
from .tissue_histogram import TissueHistogram, tissue_histogram
from .tissue_overlap import TissueOverlap, nearest_tissue, tissue_overlap
from .warped_agreement import WarpedAgreement, image_correlation
