"""Where the plugin was: an editable installation made before it moved still names this module."""

from manual_mlp_pytest import crosscheck, pytest_addoption

__all__ = ["crosscheck", "pytest_addoption"]
