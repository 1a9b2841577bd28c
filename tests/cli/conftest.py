from gallery_fixtures import *  # noqa: F403
from photo_fixtures import *  # noqa: F403
