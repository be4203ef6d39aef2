"""Instances in the words of the tools people already use: PySlowFast, PyTorchVideo, MMAction2.

Each tool has a module with what its builder makes of its keys, the keys that make a given network, and the file. The
arithmetic is theirs, read off their sources and not ours: a network is written only where their keys build exactly it.
"""
