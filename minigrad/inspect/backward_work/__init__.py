"""What a backward pass computes, and what freezing layers saves of it."""

__all__: list[str] = []
