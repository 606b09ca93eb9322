"""Miniscapes: street scenes drawn by this package in the file layout of Cityscapes."""
