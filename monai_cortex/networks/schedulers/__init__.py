"""Noise schedules of diffusion models."""
