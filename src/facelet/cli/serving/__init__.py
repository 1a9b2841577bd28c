"""Commands that answer others: the HTTP service, and the page that runs in a browser."""
