"""Losses: (prediction, target) to a differentiable scalar."""

from .deconvolution import DeconvolutionLoss, DeconvolutionTerms
