"""Verification and identification: galleries of enrolled people."""
