"""Photos, video and webcams."""
