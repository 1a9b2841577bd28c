"""The training loop: schedule, optimizer, checkpoints, validation."""
