"""Measures accuracy, speed and memory with the real command and the real services; run by `make bench`."""
