from facelet.batch.predictor import FacePredictor as FacePredictor
from facelet.errors import FaceletError as FaceletError
from facelet.errors import FaceletWarning as FaceletWarning
from facelet.errors import UnprovenModelError as UnprovenModelError
from facelet.models.model_file import ModelInfo as ModelInfo
from facelet.recipes.runner import run as run
from facelet.runtime.analyzer import Analyzer as Analyzer
from facelet.runtime.analyzer import analyze as analyze
from facelet.runtime.detection import Detection as Detection
from facelet.runtime.detector import Detector as Detector
from facelet.runtime.face import Face as Face
from facelet.runtime.face import PreparedPhoto as PreparedPhoto
from facelet.runtime.media.predictions import Prediction as Prediction
from facelet.runtime.media.tracker import Track as Track
from facelet.runtime.media.watch import FrameResult as FrameResult
from facelet.runtime.media.watch import watch as watch
from facelet.runtime.model import Model as Model
from facelet.runtime.model import load as load
from facelet.runtime.model import load_model as load_model
from facelet.runtime.people.enrolled import EnrolledFace as EnrolledFace
from facelet.runtime.people.enrolled import EnrolledPerson as EnrolledPerson
from facelet.runtime.people.enrolled import GalleryModel as GalleryModel
from facelet.runtime.people.gallery import Gallery as Gallery
from facelet.runtime.people.results import Enrollment as Enrollment
from facelet.runtime.people.results import Lookalike as Lookalike
from facelet.runtime.people.results import Match as Match
from facelet.runtime.people.verify import Verification as Verification
from facelet.runtime.people.verify import verify as verify
from facelet.runtime.quality import Quality as Quality

__version__: str
__all__: list[str]
