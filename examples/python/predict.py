"""Predicts one face with a Facelet model file: numpy and ONNX Runtime, nothing of Facelet.

    python predict.py MODEL.onnx PHOTO.ppm LEFT TOP WIDTH HEIGHT

The preparation is that of docs/crop.md: cut a square, convert, resize, normalize.
"""

import json
import sys

import numpy as np
import onnxruntime


def read_ppm(path):
    """A binary PPM file as uint8 (H, W, 3)."""
    with open(path, "rb") as file:
        words = []
        while len(words) < 4:  # magic, width, height, largest value
            words += file.readline().split(b"#")[0].split()
        width, height = int(words[1]), int(words[2])
        if words[0] != b"P6" or int(words[3]) != 255:
            sys.exit(f"{path} is not a binary PPM file of 8 bits")
        return np.frombuffer(file.read(), np.uint8, width * height * 3).reshape(height, width, 3)


def crop(photo, box, margin):
    """The square around a box; pixels beyond the photo repeat its nearest pixel."""
    left, top, width, height = box
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    rows = np.clip(np.arange(y, y + side), 0, photo.shape[0] - 1)
    columns = np.clip(np.arange(x, x + side), 0, photo.shape[1] - 1)
    return photo[rows][:, columns]


def weights(before, after):
    """Rows of weights (after, before): means of the covered area where the side shrinks, else linear interpolation."""
    table, scale = np.zeros((after, before)), before / after
    for place in range(after):
        if scale > 1:
            start, end = place * scale, (place + 1) * scale
            for pixel in range(int(start), min(int(np.ceil(end - 1e-9)), before)):
                table[place, pixel] = (min(end, pixel + 1) - max(start, pixel)) / scale
        else:
            middle = min(max((place + 0.5) * scale - 0.5, 0), before - 1)
            first = int(middle)
            table[place, first] += 1 - (middle - first)
            table[place, min(first + 1, before - 1)] += middle - first
    return table


def resize(face, size):
    """A square (S, S, C) of another size."""
    if len(face) == size:
        return face
    table = weights(len(face), size)
    return np.rint(np.einsum("yr,rcd,xc->yxd", table, face.astype(float), table)).astype(np.uint8)


def main(model, photo, *box):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    info = json.loads(session.get_modelmeta().custom_metadata_map["facelet"])
    if info["crop"]["align"] != "box":
        sys.exit(f"this model aligns faces by {info['crop']['align']}, which this sample does not")
    face = crop(read_ppm(photo), [float(side) for side in box], info["crop"]["margin"])
    entry = info["input"]
    if entry["channels"] == 1:
        face = np.rint(face @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None]
    face = resize(resize(face, entry["cut"] or entry["size"]), entry["size"])
    planes = (face / 255 - np.array(entry["mean"])) / np.array(entry["std"])
    outputs = session.run(None, {entry["name"]: planes.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    if info["task"] == "identity":
        print(json.dumps({"embedding": [float(value) for value in outputs / np.linalg.norm(outputs)]}))
        return
    powers = np.exp((outputs - outputs.max()) / info["temperature"])
    shares = powers / powers.sum()
    label = info["labels"][int(shares.argmax())]
    print(json.dumps({"label": label, "probabilities": dict(zip(info["labels"], map(float, shares), strict=True))}))


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main(*sys.argv[1:])
