"""The paper's tables and figures, one file each, and the trainings that repeat them."""
