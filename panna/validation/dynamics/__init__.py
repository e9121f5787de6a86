"""Simulations, and what is read from them."""
