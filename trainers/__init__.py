"""How one trial is trained: networks, video, training, evaluation, and dispatch to this process or to Ray."""
