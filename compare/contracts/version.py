"""Which version of a package is installed, for `--version`, `__version__` and every report."""

from importlib.metadata import PackageNotFoundError, version


def version_of(package: str) -> str:
    """Return the installed version, `not installed` for a package that only lies there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
