"""Recording backward passes: what is called how, measured, and kept; all private."""

__all__: list[str] = []
