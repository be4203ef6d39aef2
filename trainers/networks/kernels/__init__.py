"""Kernels in C for what PyTorch computes slowly on a CPU: their sources, the compiling and the calls."""
