"""Every kernel: pure forward and backward rules over arrays."""
