"""Actions located in time and space (Sec. 5, A.1): AVA's boxes, the detector, its training and its score."""
