"""Sources on disk to search among: index, queries, answers, map, exports."""
