"""Sources on disk to search among: the index, its doors, its answers, its map, its exports."""
