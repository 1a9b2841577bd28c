"""The page that analyzes photos and the webcam inside the browser: its source in ``page``, and what builds a site of it."""
