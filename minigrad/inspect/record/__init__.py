"""Recording backward passes: what is called how, measured, and kept."""

__all__: list[str] = []
