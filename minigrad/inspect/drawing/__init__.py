"""Drawing the graph of a pass, with values, gradients and local derivatives."""

__all__: list[str] = []
