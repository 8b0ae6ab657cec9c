"""The Helios weather service: alerts, road cameras and their images, observations, collections."""
