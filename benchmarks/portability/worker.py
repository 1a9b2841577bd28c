"""Runs one runtime in its own process: reads faces from .npy, runs them one by one, writes outputs and seconds to .npz.

    python worker.py ENGINE MODEL INPUT_NAME INPUTS.npy OUT.npz SECONDS

Needs only numpy and the engine, so that any Python can run it, also an emulated one. All engines use one thread. After SECONDS it
writes the faces finished so far. The last line of its output is {"version": ...}.
"""

import json
import sys
import time

import numpy as np

WARM_UP = 2
"""Untimed runs before the timed ones; one if a run takes long."""


def onnxruntime(model, name):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda face: session.run(None, {name: face})[0]


def opencv(model, name, *engine):
    import cv2

    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(model, *engine)

    def answer(face):
        net.setInput(face, name)
        return net.forward().copy()

    return cv2.__version__, answer


def opencv_classic(model, name):
    import cv2

    return opencv(model, name, cv2.dnn.ENGINE_CLASSIC)


def openvino(model, name, **settings):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_NUM_THREADS": 1, **settings})
    kind = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    version = f"{openvino.__version__.split('-')[0]}, floats as {kind}"
    return version, lambda face: compiled({name: face})[0].copy()


def openvino_f32(model, name):
    return openvino(model, name, INFERENCE_PRECISION_HINT="f32")


ENGINES = {
    "onnxruntime": onnxruntime,
    "opencv": opencv,
    "opencv-classic": opencv_classic,
    "openvino": openvino,
    "openvino-f32": openvino_f32,
}


def work(engine, model, name, inputs, out, seconds):
    """Writes the outputs and prints the version."""
    version, answer = ENGINES[engine](model, name)
    started = time.perf_counter()
    for _ in range(WARM_UP):
        answer(inputs[:1])
        if time.perf_counter() - started > seconds / 20:
            break
    rows, times = [], []
    for face in inputs:
        start = time.perf_counter()
        row = np.asarray(answer(face[None]))
        times.append(time.perf_counter() - start)
        rows.append(row.reshape(len(row), -1))
        if time.perf_counter() - started > seconds:
            break
    np.savez(out, logits=np.concatenate(rows), seconds=times)
    print(json.dumps({"version": version}))


if __name__ == "__main__":
    try:
        work(sys.argv[1], sys.argv[2], sys.argv[3], np.load(sys.argv[4]), sys.argv[5], float(sys.argv[6]))
    except Exception as error:  # engines raise their own classes; the caller wants one line
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        sys.exit(f"{type(error).__name__}: {' '.join(lines)[:400]}")
