"""Cases of the sphere: harmonic transforms and point location."""
