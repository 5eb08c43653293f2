"""Cases of heart registration: presets of the network, and whole registrations."""
