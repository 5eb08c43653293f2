"""Many subjects: shards, claims, atomic publishing, resuming, a journal and a report."""

from .launcher import launch
from .request import CohortRequest
from .runner import run_cohort
from .shard import Shard, parse_shard, slurm_shard
