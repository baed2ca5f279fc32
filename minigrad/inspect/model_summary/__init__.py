"""What a model's layers make, cost and hold."""

__all__: list[str] = []
