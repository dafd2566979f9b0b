"""Recommenders that are more than SQL: BM25 and its kin, BPR, YoutubeDNN, and the nearest items of a vector."""
