"""Fine-tuning of a trained instance on another task, by iterations (Sec. A.1, A.2)."""
