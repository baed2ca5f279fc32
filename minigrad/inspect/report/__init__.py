"""Reports of a recording: one HTML page, one picture."""

__all__: list[str] = []
