"""Figures of speed, memory and cost, each beside a baseline of the same run."""
