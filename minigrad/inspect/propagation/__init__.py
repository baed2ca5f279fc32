"""What becomes of a signal and of its gradient from layer to layer."""

__all__: list[str] = []
