"""Cases of training steps: what the switches of the networks save."""
