"""Frozen nets and stored predictions that students learn from."""
