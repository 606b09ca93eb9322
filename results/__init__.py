"""Results as data: the published run and what the paper states."""
