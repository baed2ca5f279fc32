"""minigrad: a neural-network engine on NumPy and CuPy that explains every gradient."""
