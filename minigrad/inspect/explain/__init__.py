"""Words and tables: why a gradient is what it is, and where two recordings part."""

__all__: list[str] = []
