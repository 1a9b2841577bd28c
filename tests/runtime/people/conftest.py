from gallery_fixtures import *  # noqa: F403
