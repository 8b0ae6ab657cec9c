"""Dyn Managed DNS and Message Management."""
