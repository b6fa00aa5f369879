"""Every environment variable and its default, once: read at start, checked as a whole, frozen afterwards."""

from gateway.settings.loading import ConfigurationErrors, load_settings
from gateway.settings.variables import Settings

__all__ = ["ConfigurationErrors", "Settings", "load_settings"]
