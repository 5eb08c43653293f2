"""The names that a config may use before its author is trusted: a list of what is harmless, not of what is not.

A prefix such as ``torch.`` would let ``torch.os.system`` pass, and ``torch.load``, and ``torch.hub.load``. So functions
are listed by name, classes by the flat package that offers them, and those whose arguments name code are left out.
"""

from __future__ import annotations

import re

from monai_cortex import plugins

__all__ = ["ATTRIBUTES", "BUILTINS", "IMPORTABLE", "OPENS_BY_NAME", "ROOTS", "is_function", "is_target"]

ROOTS = frozenset({"ignite", "monai", "monai_cortex", "torch"})
IMPORTABLE = ROOTS | {"collections", "datetime", "functools", "glob", "math", "numpy", "os"}
BUILTINS = frozenset(
    """abs all any bool dict enumerate filter float int isinstance len list map max min range reversed round set slice
    sorted str sum tuple zip""".split()
)

# Classes by the package that offers them; no further dot, since every module's imports are its attributes.
_CLASSES = re.compile(
    r"""(monai\.(transforms|losses|metrics|inferers|engines|networks\.(nets|blocks|layers|schedulers))
    |monai_cortex\.(transforms|losses|metrics|inferers|handlers|networks\.(nets|blocks|layers|schedulers))
    |torch\.(nn|nn\.parallel|optim|optim\.lr_scheduler)
    |ignite\.metrics)\.[A-Z]\w*""",
    re.VERBOSE,
)
_PLUGIN = re.compile(r"monai_cortex\.plugins\.(networks|schedulers|transforms|losses|metrics|inferers|handlers)\.(\w+)")
# These fetch from the network, some of them code, or call what their arguments name.
_UNSAFE_CLASSES = frozenset(
    """monai.losses.PerceptualLoss monai.networks.nets.EfficientNetBN monai.networks.nets.EfficientNetBNFeatures
    monai.networks.nets.EfficientNetEncoder monai.networks.nets.MILModel monai.networks.nets.ResNetEncoder
    monai.networks.nets.ResNetFeatures monai.networks.nets.TorchVisionFCModel monai.networks.nets.Transchex
    monai.transforms.CuCIM monai.transforms.CuCIMD monai.transforms.CuCIMDict monai.transforms.CuCIMd
    monai.transforms.RandCuCIM monai.transforms.RandCuCIMD monai.transforms.RandCuCIMDict monai.transforms.RandCuCIMd
    monai.transforms.RandTorchIO monai.transforms.RandTorchIOD monai.transforms.RandTorchIODict
    monai.transforms.RandTorchIOd monai.transforms.RandTorchVisionD monai.transforms.RandTorchVisionDict
    monai.transforms.RandTorchVisiond monai.transforms.TorchIO monai.transforms.TorchIOD monai.transforms.TorchIODict
    monai.transforms.TorchIOd monai.transforms.TorchVision monai.transforms.TorchVisionD
    monai.transforms.TorchVisionDict monai.transforms.TorchVisiond""".split()
)
# These look their reader, writer or merger up by dotted name: harmless with a name in the config, which is checked,
# but not as callables that are handed on and get their arguments later.
OPENS_BY_NAME = re.compile(r"monai\.(transforms\.(Load|Save)Image\w*|inferers\.\w+|data\.\w+)")

_FUNCTIONS = frozenset(
    """collections.OrderedDict datetime.timedelta functools.partial glob.glob math.ceil math.exp math.floor math.inf
    math.log math.pi math.sqrt os.cpu_count os.environ.get os.path.basename os.path.dirname os.path.exists
    os.path.isfile os.path.join
    monai.data.DataLoader monai.data.Dataset monai.data.CacheDataset monai.data.SmartCacheDataset
    monai.data.ThreadDataLoader monai.data.DistributedSampler monai.data.ShuffleBuffer monai.data.ZipDataset
    monai.data.ArrayDataset monai.data.PatchDataset monai.data.GridPatchDataset monai.data.PatchIterd
    monai.data.NibabelReader monai.data.NrrdReader monai.data.PILReader monai.data.ITKReader monai.data.PydicomReader
    monai.data.partition_dataset monai.data.load_decathlon_datalist
    monai.data.decollate_batch monai.data.list_data_collate monai.data.pad_list_data_collate
    monai.data.utils.no_collation monai.data.utils.list_data_collate monai.data.utils.pad_list_data_collate
    monai.handlers.from_engine monai.utils.set_determinism
    monai.handlers.CheckpointLoader monai.handlers.CheckpointSaver monai.handlers.ConfusionMatrix
    monai.handlers.DecollateBatch monai.handlers.EarlyStopHandler monai.handlers.GarbageCollector
    monai.handlers.HausdorffDistance monai.handlers.IgniteMetricHandler monai.handlers.LrScheduleHandler
    monai.handlers.MeanAbsoluteError monai.handlers.MeanDice monai.handlers.MeanIoUHandler
    monai.handlers.MeanSquaredError monai.handlers.MetricLogger monai.handlers.MetricsSaver
    monai.handlers.PanopticQuality monai.handlers.PeakSignalToNoiseRatio monai.handlers.PostProcessing
    monai.handlers.ROCAUC monai.handlers.RootMeanSquaredError monai.handlers.StatsHandler
     monai.handlers.SurfaceDistance
    monai.handlers.TensorBoardImageHandler monai.handlers.TensorBoardStatsHandler monai.handlers.ValidationHandler
    ignite.handlers.EMAHandler ignite.handlers.EarlyStopping ignite.handlers.ProgressBar ignite.handlers.Timer
    ignite.handlers.TerminateOnNan
    monai_cortex.data.bundle_folder monai_cortex.data.cardiac_subjects monai_cortex.data.cortical_subjects
    monai_cortex.data.dataset_subjects
    monai_cortex.data.diffusion_subjects monai_cortex.data.registration_subjects
    monai_cortex.data.registration_target monai_cortex.data.sample_dataset monai_cortex.data.sample_target
    monai_cortex.data.shared_features monai_cortex.data.synthesis_subjects monai_cortex.data.training_subjects
    monai_cortex.data.OwnItems monai_cortex.data.training_loader.TrainingLoader
    monai_cortex.handlers.load_weights monai_cortex.inferers.prepare_deconvolution_batch
    monai_cortex.inferers.registration_pairs monai_cortex.transforms.cardiac_preprocessing
    monai_cortex.transforms.cardiac_training_items monai_cortex.transforms.cortex_channels
    monai_cortex.transforms.cortex_preprocessing monai_cortex.transforms.deconvolution_crops
    monai_cortex.transforms.deconvolution_preprocessing monai_cortex.transforms.registration_augmentation
    monai_cortex.transforms.registration_pair_augmentation monai_cortex.transforms.training_crops
    monai_cortex.transforms.validation_crops
    torch.Generator torch.backends.mps.is_available torch.cuda.current_device torch.cuda.device_count
    torch.cuda.is_available torch.device torch.distributed.destroy_process_group torch.distributed.get_rank
    torch.distributed.get_world_size torch.distributed.init_process_group torch.distributed.is_available
    torch.distributed.is_initialized torch.manual_seed torch.utils.data.ConcatDataset torch.utils.data.DataLoader
    torch.utils.data.DistributedSampler torch.utils.data.RandomSampler torch.utils.data.Subset
    torch.utils.data.WeightedRandomSampler""".split()
)
_NUMERIC = re.compile(
    r"""(torch|np|numpy)\.(arange|argmax|array|as_tensor|bfloat16|bool|bool_|ceil|clip|double|exp|eye|float16|float32
    |float64|floor|full|half|inf|int16|int32|int64|int8|linspace|log|long|max|mean|min|ones|pi|round|sigmoid|softmax
    |sqrt|stack|sum|tensor|uint8|unique|where|zeros)""",
    re.VERBOSE,
)
# Attributes of references and of values. Modules hide behind few of the others, files and processes behind many.
ATTRIBUTES = frozenset(
    """T append astype attach bfloat16 bool copy count cpu cuda data dataset device dim double dtype ema_model endswith
    epoch eval extend flatten float get half in_channels index int item items join keys lower lstrip max max_epochs mean
    min model module name named_parameters network ndim network_def numel optimizer out_channels output parameters
    partition permute requires_grad_ reshape rpartition rsplit rstrip run shape size spatial_dims split squeeze
    startswith state state_dict strip sum title to tolist train transform transforms unsqueeze upper values view
    zfill""".split()
)


def is_target(name: str) -> bool:
    """Whether ``_target_`` may be this full dotted name; of the plugins, any that is installed."""
    if plugin := _PLUGIN.fullmatch(name):
        return any(known.name == plugin[2] for known in plugins.available(plugin[1]))
    if name in _UNSAFE_CLASSES:
        return False
    return name in _FUNCTIONS or bool(_CLASSES.fullmatch(name))


def is_function(name: str) -> bool:
    """Whether an expression may use this dotted name; classes that open by name take arguments unchecked there."""
    if OPENS_BY_NAME.fullmatch(name):
        return name in _FUNCTIONS and name.rpartition(".")[2][0].islower()
    return name in _FUNCTIONS or bool(_NUMERIC.fullmatch(name))
