"""A run: what was asked for is carried out and kept in a run folder."""
