"""Symptoms: a pattern in a log, an event or a spec, its cause and its remedy."""
