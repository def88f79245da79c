"""The paper's tables as data: what is trained, on how many labels, and what was published."""
