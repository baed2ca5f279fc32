"""Measurements: how long minigrad takes beside PyTorch, in one run on one machine."""
