"""Figures of a run, fit for a paper."""
