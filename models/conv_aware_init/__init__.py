"""Convolution Aware Initialization (Aghajanyan 2017), beside its rivals."""
