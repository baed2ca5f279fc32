"""Ways to form the sums of a convolution; `dispatch` chooses among them by size.

Memory is (*S, N, C) for inputs, (*S', N, O) for results and (*K, C, O) for weights, as
minigrad.kernels._layout says. Every algorithm is held to the direct one.
"""

__all__: list[str] = []
