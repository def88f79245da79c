"""Sources by the thousand with their pixels, in a folder that grows whole."""
