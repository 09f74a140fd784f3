"""Channels, over which users hear of outcomes unasked: their kinds, their deliveries, confirming and stopping."""
