"""Photos, videos and webcams."""
