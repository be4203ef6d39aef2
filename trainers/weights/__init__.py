"""The weights of an X3D as the tools have them that people already use, into ours and back."""
