"""Simulated data with known truth."""

from .beating_heart import BeatingHeart, HeartShape, LeftRadii
from .cardiac_image import RenderedPhase, render_phase
from .cardiac_look import CardiacLook, draw_look
from .cardiac_stack import SliceStack, draw_stack
from .cardiac_tissue import CardiacScene, Muscle, TissueView, draw_muscle
from .chest import Chest, Layer, around_heart, chest_wall, draw_chest
from .cortical_anatomy import CorticalSurfaces, CorticalVariation, template_cortex, vary_cortex
from .cortical_image import SimulatedT1, simulate_t1, tissue_fractions
from .cortical_population import CorticalPopulation, SyntheticCortex
from .cortical_subject import (
    mean_cortex,
    population_around,
    simulate_cortex,
    write_synthetic_cortex,
    write_synthetic_cortices,
)
from .population_files import read_population, read_population_map
from .diffusion import DiffusionTissue, random_tissue, rician_noise, simulate_scan
from .diffusion_subject import SimulatedDiffusion, simulate_diffusion, write_simulated_diffusion
from .fiber_bundle import FiberBundle, arc, fanning, kissing, straight
from .fiber_phantom import FiberPhantom, fiber_phantom
from .fiber_scene import FiberScene, crossing_scene, random_scene, reference_scene
from .gradient_protocols import PROTOCOLS, gradient_protocol, random_protocol, repulsed_directions
from .heart_variation import HEART_GROUPS, HeartDraw, draw_heart, ejection_fraction, merging_share
from .scanner import SCANNERS, Scanner
from .smooth_noise import SmoothNoise
from .synthetic_brain import brain_grid, write_synthetic_brain, write_synthetic_brains
from .synthetic_heart import CARDIAC_SAMPLES, write_synthetic_heart, write_synthetic_hearts
from .trajectory_people import write_trajectory_people
