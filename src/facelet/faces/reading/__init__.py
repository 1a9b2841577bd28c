"""Reading images from archives and folders."""
