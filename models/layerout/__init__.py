"""LayerOut: freezing layers, and what stands beside it in the paper."""
