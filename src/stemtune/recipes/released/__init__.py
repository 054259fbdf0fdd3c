"""The small models that ship beside the default one, adapted from it: choir, drums, chorale."""
