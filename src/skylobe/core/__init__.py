"""What every room needs and knows nothing of the sky: errors, files, tables, settings."""
