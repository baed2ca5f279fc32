"""What experiments on gradient adapters measure of a network."""
