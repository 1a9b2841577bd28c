"""Export of model files to other runtimes, each held by the parity gate. Importing this package registers the targets."""

from facelet.deploy import coreml, executorch, litert, ncnn, openvino  # noqa: F401  (they register themselves)
from facelet.deploy.export import Exported, export
from facelet.deploy.gate import Verdict
from facelet.deploy.target import TARGETS, Target

__all__ = ["TARGETS", "Exported", "Target", "Verdict", "export"]
