"""BlockDrop: a policy that chooses, for each image, the blocks of a ResNet to run.

Source: Wu, Nagarajan, Kumar, Rennie, Davis, Grauman & Feris 2018, "BlockDrop: Dynamic
Inference Paths in Residual Networks", arXiv:1711.08393.
"""
