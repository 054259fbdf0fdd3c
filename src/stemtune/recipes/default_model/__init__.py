"""The recipe of the default model: its licence-clean corpus, and the experiment that learns from it."""
