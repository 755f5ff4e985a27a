"""Ways to look at a run of points; each file here is one."""
