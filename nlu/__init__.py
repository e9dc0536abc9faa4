"""Text to Understanding: normalisation, encoder, heads, calibration, out-of-scope score, runtime, releases."""
