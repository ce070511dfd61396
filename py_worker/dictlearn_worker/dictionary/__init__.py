"""Dictionaries: their equations, their initialisation, and their files."""
