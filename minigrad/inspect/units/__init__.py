"""Values of the units of a network: what layers give, how units correlate and vary."""

__all__: list[str] = []
