"""Cases of spatio-hemispherical deconvolution."""
