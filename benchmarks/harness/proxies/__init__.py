"""The proxies that are measured, each in its usual configuration."""
