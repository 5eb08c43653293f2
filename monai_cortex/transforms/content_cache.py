"""Prepared training data on disk, found again by the content of its files and by what was done to them."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from monai.data import CacheDataset, get_track_meta
from monai.transforms import RandomizableTrait, Transform

from monai_cortex.data.cache_entry import pack_item, read_entry, unpack_item, write_entry
from monai_cortex.data.content_key import content_key, software_key
from monai_cortex.errors import ConfigError, ResourceError

__all__ = ["ContentCache"]

_log = logging.getLogger(__name__)


class ContentCache(CacheDataset):
    """MONAI's CacheDataset, which with a folder also finds prepared items that earlier runs left there.

    Kept is what comes before the first random transform. An entry answers to the content of the item's files, the
    item's other values, the transforms with their parameters and code, and the versions of what computes; so what has
    changed is computed anew, and two datasets may share a folder. An entry that is damaged is computed anew with a
    warning, and replaced. Processes may share a folder. Entries hold tensors, numbers and texts, and no paths; old ones
    stay until somebody removes them.

    Args:
        data: items; texts that are paths of files stand for their content, folders are not looked into.
        transform: of the items; what it leaves on the way to the first random transform must be tensors, arrays,
            numbers and texts, in mappings, lists and tuples. Tensors come back on the CPU, MetaTensors with their
            affine and no other metadata, whether or not the item was found.
        cache_dir: folder, made where it is missing; None keeps items in memory only, as they are.
        cache_rate: share of the items that stay in memory, in [0, 1]; the others are read from the folder each time.
        progress: show a bar while items are prepared.

    Raises:
        ResourceError: nothing can be written to the folder. Once that was possible, a full disk costs the entry only.
        ConfigError: the transforms, or what they make, cannot be kept.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any],
        cache_dir: str | os.PathLike[str] | None = None,
        cache_rate: float = 1.0,
        progress: bool = False,
    ) -> None:
        self.cache_dir = None if cache_dir is None else _writable(Path(cache_dir))
        self._keys: dict[int, str] = {}
        self._writes = True
        super().__init__(data, transform, cache_rate=cache_rate, num_workers=0, progress=progress)

    def set_data(self, data: Sequence[Any]) -> None:
        """Take other items, and prepare those that stay in memory."""
        self._keys = {}
        if self.cache_dir is not None:
            steps, whole = list(self.transform.transforms[: self._first_random()]), self.transform
            options = [whole.map_items, whole.unpack_items, whole.lazy, whole.overrides, get_track_meta()]
            self._recipe = self._key(steps, options, torch.get_default_dtype(), software_key())
        super().set_data(data)

    def _load_cache_item(self, idx: int) -> Any:
        if self.cache_dir is None:
            return super()._load_cache_item(idx)
        source = self.data[idx]
        # Once, so that an epoch that reads from the folder does not read the files too.
        key = self._keys.get(idx) or self._keys.setdefault(idx, self._key(self._recipe, source))
        path = self.cache_dir / f"{key}.entry"
        packed = self._found(path, key)
        if packed is None:
            packed = self._prepared(source)
            # A file that was replaced meanwhile must not stand for the one before.
            if self._key(self._recipe, source) == key:
                self._write(path, packed, key)
        return unpack_item(packed, source)

    def _transform(self, index: int) -> Any:
        place = index % len(self)
        if self.cache_dir is None or place < self.cache_num:
            return super()._transform(index)
        item, first = self._load_cache_item(place), self._first_random()
        return item if first is None else self.transform(item, start=first)

    def _first_random(self) -> int | None:
        # As in MONAI, whose CacheDataset asks the same.
        return self.transform.get_index_of_first(
            lambda step: isinstance(step, RandomizableTrait) or not isinstance(step, Transform)
        )

    def _key(self, *parts: Any) -> str:
        try:
            return content_key(*parts)
        except ValueError as error:
            raise _not_kept(error) from error

    def _found(self, path: Path, key: str) -> Any:
        if not path.is_file():
            return None
        try:
            return read_entry(path, key)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning("cache entry %s is damaged (%s): computed anew", path.name, reason)
            return None

    def _prepared(self, source: Any) -> Any:
        item = self.transform(deepcopy(source), end=self._first_random(), threading=True)
        try:
            return pack_item(item, source)
        except ValueError as error:
            raise _not_kept(error, source) from error

    def _write(self, path: Path, packed: Any, key: str) -> None:
        if not self._writes:
            return
        try:
            write_entry(path, packed, key)
        except (OSError, ResourceError) as error:
            self._writes = False
            reason = error.strerror if isinstance(error, OSError) else error.args[0]
            _log.warning("nothing more is written to the cache (%s): computed without it", reason)


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        raise ResourceError(
            "nothing can be written to the cache",
            file=folder,
            found=error.strerror or type(error).__name__,
            expected="a folder to write to, or a place to make it",
            remedy="choose another cache_dir, or null to keep prepared data in memory only",
        ) from error
    return folder


def _not_kept(error: ValueError, source: Any = None) -> ConfigError:
    return ConfigError(
        "prepared data cannot be kept on disk",
        subject=str(source.get("subject", "")) if isinstance(source, Mapping) else "",
        found=error,
        expected="tensors, arrays, numbers and texts, made by transforms whose parameters are such",
        remedy="set cache_dir to null, which keeps prepared data in memory only",
    )
