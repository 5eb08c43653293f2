"""Pure functions on tensors and arrays: no modules, no files, no MONAI."""
