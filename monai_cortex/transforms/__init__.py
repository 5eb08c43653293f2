"""Transforms: one topic a file, the array class and its dictionary class together."""

from .cardiac_preprocessing import cardiac_preprocessing
from .clip_scale_distance import ClipScaleDistance, ClipScaleDistanceD, ClipScaleDistanceDict, ClipScaleDistanced
from .constrained_deconvolution import (
    ConstrainedDeconvolution,
    ConstrainedDeconvolutionD,
    ConstrainedDeconvolutionDict,
    ConstrainedDeconvolutiond,
)
from .content_cache import ContentCache
from .cortex_condition import CortexCondition, CortexConditionD, CortexConditionDict, CortexConditiond
from .cortex_crops import training_crops, validation_crops
from .cortex_preprocessing import cortex_channels, cortex_preprocessing
from .crop_to_cortex import CropToCortex, CropToCortexD, CropToCortexDict, CropToCortexd
from .load_cardiac_pair import LoadCardiacPair, LoadCardiacPairD, LoadCardiacPairDict, LoadCardiacPaird
from .load_cortex import LoadCortex, LoadCortexD, LoadCortexDict, LoadCortexd
from .scale_to_brain import ScaleToBrain, ScaleToBrainD, ScaleToBrainDict, ScaleToBraind
from .cortex_fields import CortexFields, CortexFieldsD, CortexFieldsDict, CortexFieldsd
from .deconvolution_design import (
    DeconvolutionDesign,
    DeconvolutionDesignD,
    DeconvolutionDesignDict,
    DeconvolutionDesignd,
)
from .deconvolution_maps import DeconvolutionMaps, DeconvolutionMapsD, DeconvolutionMapsDict, DeconvolutionMapsd, Maps
from .deconvolution_preprocessing import deconvolution_crops, deconvolution_preprocessing
from .diffusion_tensor import DiffusionTensor, DiffusionTensorD, DiffusionTensorDict, DiffusionTensord, TensorMaps
from .fiber_target import FiberTarget, FiberTargetD, FiberTargetDict, FiberTargetd
from .input_directions import InputDirections, InputDirectionsD, InputDirectionsDict, InputDirectionsd
from .linear_deconvolution import (
    LinearDeconvolution,
    LinearDeconvolutionD,
    LinearDeconvolutionDict,
    LinearDeconvolutiond,
)
from .load_diffusion import LoadDiffusion, LoadDiffusionD, LoadDiffusionDict, LoadDiffusiond
from .load_hemispheres import LoadHemispheres, LoadHemispheresD, LoadHemispheresDict, LoadHemispheresd
from .mesh_to_distance import MeshToDistance, MeshToDistanceD, MeshToDistanceDict, MeshToDistanced
from .normalize_diffusion import (
    NormalizeDiffusion,
    NormalizeDiffusionD,
    NormalizeDiffusionDict,
    NormalizeDiffusiond,
    Normalized,
)
from .normalize_surface import NormalizeSurface, NormalizeSurfaceD, NormalizeSurfaceDict, NormalizeSurfaced
from .rand_crop_heart import RandCropHeart, RandCropHeartD, RandCropHeartDict, RandCropHeartd
from .rand_flip_plane import RandFlipPlane, RandFlipPlaneD, RandFlipPlaneDict, RandFlipPlaned
from .rand_rotate_sphere import RandRotateSphere, RandRotateSphereD, RandRotateSphereDict, RandRotateSphered
from .rand_swap_pair import RandSwapPair, RandSwapPairD, RandSwapPairDict, RandSwapPaird
from .rand_warp_sphere import RandWarpSphere, RandWarpSphereD, RandWarpSphereDict, RandWarpSphered
from .registration_augmentation import registration_augmentation
from .registration_pair_augmentation import cardiac_training_items, registration_pair_augmentation
from .registration_grid import RegistrationGrid, RegistrationGridD, RegistrationGridDict, RegistrationGridd
from .scale_valid_intensity import (
    ScaleValidIntensity,
    ScaleValidIntensityD,
    ScaleValidIntensityDict,
    ScaleValidIntensityd,
)
from .shell_harmonics import ShellHarmonics, ShellHarmonicsD, ShellHarmonicsDict, ShellHarmonicsd
from .spherical_resample import SphericalResample, SphericalResampleD, SphericalResampleDict, SphericalResampled
from .tissue_responses import TissueResponses, TissueResponsesD, TissueResponsesDict, TissueResponsesd
