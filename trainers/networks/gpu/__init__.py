"""Triton kernels: the channel-wise convolution, BN and what goes with them, in one pass over a GPU's memory each."""
