"""Containers: streams, clock, packets, crops and sound of a file, read with PyAV in the child process."""
