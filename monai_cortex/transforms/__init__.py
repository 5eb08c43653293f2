"""Transforms: one topic a file, the array class and its dictionary class together."""

from .constrained_deconvolution import (
    ConstrainedDeconvolution,
    ConstrainedDeconvolutionD,
    ConstrainedDeconvolutionDict,
    ConstrainedDeconvolutiond,
)
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
from .normalize_diffusion import (
    NormalizeDiffusion,
    NormalizeDiffusionD,
    NormalizeDiffusionDict,
    NormalizeDiffusiond,
    Normalized,
)
from .shell_harmonics import ShellHarmonics, ShellHarmonicsD, ShellHarmonicsDict, ShellHarmonicsd
from .tissue_responses import TissueResponses, TissueResponsesD, TissueResponsesDict, TissueResponsesd
