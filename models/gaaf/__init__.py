"""Gradient acceleration in activation functions, Hahn & Choi 2018, arXiv:1806.09783.

`python -m models run gaaf` runs all of it; README.md holds the results.
"""
