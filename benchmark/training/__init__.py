"""Training: log, checkpoint, schedule, interruption."""
