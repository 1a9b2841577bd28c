"""What is minimised: a batch becomes named losses."""
