"""What the machine offers: programs, memory, versions, files."""
