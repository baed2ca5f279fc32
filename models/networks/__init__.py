"""Every network of the papers, once."""
