from .affine import affine_gap, is_usable, rotation_of
from .annotation import Annotation, read_annotation
from .atomic import atomic_folder, atomic_path, clear_partials, full_disk_named, sha256, write_json
from .bundle import bundle_folder, bundle_identity, read_metadata
from .cardiac_labels import CARDIAC_LABELS, read_cardiac_labels
from .cardiac_pair import CardiacPair, read_cardiac_pair
from .cardiac_subjects import cardiac_subjects
from .config_file import read_config
from .cortex_shapes import CortexShapes
from .cortical_samples import fsaverage5_surfaces, sample_target
from .cortical_subjects import CorticalHemisphere, cortical_subjects, read_cortical_subject
from .dataset_check import DatasetInputs, check_dataset, dataset_subjects
from .dataset_folder import no_subject, subject_folders
from .diffusion import DiffusionScan, read_diffusion, read_diffusion_inputs
from .displacement_file import Displacement, read_displacement, write_displacement
from .freesurfer import read_morph, read_surface_geometry, write_morph, write_surface_geometry
from .gifti import read_gifti_labels, read_gifti_surface, read_gifti_values
from .gifti_writer import write_gifti_sphere, write_gifti_values
from .gradients import GradientTable, fsl_vectors, read_fsl_gradients, write_fsl_gradients
from .itk_transform import write_transform
from .known_fibers import read_known_fibers
from .mask import read_mask
from .memory import memory_limit
from .mgh import read_mgh, surface_offset
from .mgh_writer import write_mgh
from .mrtrix_gradients import read_mrtrix_gradients, write_mrtrix_gradients
from .nifti import read_volume
from .nifti_writer import write_volume
from .own_items import OwnItems
from .points_file import PointTable, read_points, write_points
from .registration_subjects import (
    read_registration_inputs,
    registration_inputs,
    registration_subjects,
    registration_target,
    shared_features,
)
from .processes import batch_count, own_rows, process_rank
from .response import Response, read_response, write_response
from .same_grid import require_same_grid
from .sample_record import write_sample_record
from .samples import sample_dataset, write_samples
from .sidecar import sidecar_path, write_sidecar
from .shape_subjects import write_shape_subject
from .shells import Shells, find_shells
from .streamlines import read_streamlines, write_streamlines
from .subjects import diffusion_subjects
from .surface_checks import (
    SphereReport,
    SurfaceReport,
    check_sphere,
    check_surface,
    measure_sphere,
    require_hemisphere,
    require_same_vertices,
)
from .surface_file import SurfaceFile
from .switch import switched_on
from .synthesis_subjects import CorticalSurfaces, read_synthesis_subject, synthesis_subjects
from .training_subjects import readable_subjects, training_subjects
from .volume_grid import on_grid
from .voxels import Volume
