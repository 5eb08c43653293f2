"""Groups of commands of the command line. They import what they need when they run: listing must not load torch."""
