"""What all papers share: configuration, claims, training, results, command line."""
