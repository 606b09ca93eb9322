"""From a run folder to tables: rate points, Bjontegaard deltas, intervals."""
