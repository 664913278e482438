"""Waveforms to frames."""
