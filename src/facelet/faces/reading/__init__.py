"""From archives and folders to images."""
