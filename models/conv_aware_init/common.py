"""What the experiments of the paper on convolution-aware initialization share."""

PAPER = "Aghajanyan, Convolution Aware Initialization, 2017"
