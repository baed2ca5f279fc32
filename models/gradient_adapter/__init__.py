"""Reproduction of the paper on gradient adapters for networks of hard thresholds."""
