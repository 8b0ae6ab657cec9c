"""The Helios weather service for the sandbox: cameras, observations, alerts, collections and pictures."""

from sessionkit_helios.sandbox.service import HeliosService

__all__ = ["HeliosService"]
