"""Everything with parameters: layers, blocks and nets."""
