"""What is measured of the networks of the GAAF experiments, one module a question."""
