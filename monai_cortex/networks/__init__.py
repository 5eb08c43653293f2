"""Everything with parameters: layers, blocks, nets and the schedulers of diffusion."""
