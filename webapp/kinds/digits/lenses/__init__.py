"""Ways to look at a run of digits; each file here is one."""
