"""The rows of the table, in its order; each is a module with a function ``run``."""

NAMES = (
    "danger",
    "whole",
    "many",
    "shell",
    "by_hand",
    "startup",
    "idle",
    "ten_thousand",
    "growth",
    "week",
    "replicas",
)
