"""The codec adapters: one file, or one folder, each."""
