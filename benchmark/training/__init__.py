"""Training: the one loop, and its log, checkpoint, schedule and interruption."""
