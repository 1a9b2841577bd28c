from photo_fixtures import *  # noqa: F403
