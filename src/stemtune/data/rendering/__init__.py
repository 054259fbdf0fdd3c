"""Multitrack music made from scores: what synthesisers, samples and voices by rule play, stem by stem."""
