"""Second order and forward mode by complex step; the loss along directions."""

__all__: list[str] = []
