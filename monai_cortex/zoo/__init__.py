from .config_tree import cycles, require_known_overrides, unknown_overrides
from .content import content_digest, seal
from .fetch import fetch_bundle
from .index import write_index
from .pack import pack_bundle
from .verify import Verdict, require_verified, verify_bundle
