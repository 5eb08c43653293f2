"""Cases of synthesis: signed distances of a cortex."""
