"""What the programs have in common: five steps of gradient descent from known weights, written down for the programs in TypeScript."""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras  # noqa: E402
import numpy as np  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def data(name):
    with open(os.path.join(HERE, "..", "data", name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def ids(texts, vocabulary, length):
    """Words as their places in the vocabulary (from 1), padded with 0 at the end."""
    rows = [[vocabulary.index(word) + 1 for word in text.split()] for text in texts]
    return np.array([row + [0] * (length - len(row)) for row in rows], "int32")


def spread(model):
    """Weights that are neither zero nor symmetric, the same wherever this runs."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype("float32") for w in model.weights])


def write(name, model, x, y, loss):
    """Trains five steps, each on all data, and writes the weights before and the losses to golden/NAME.json."""
    spread(model)
    weights = [{"name": w.path, "shape": list(w.shape), "data": [float(v) for v in w.numpy().ravel()]} for w in model.weights]
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss=loss)
    history = model.fit(x, y, epochs=5, batch_size=1000, shuffle=False, verbose=0)
    losses = [float(v) for v in history.history["loss"]]
    folder = os.path.join(HERE, "..", "golden")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
        json.dump({"source": f"Keras {keras.__version__}, python/{name.replace('-', '_')}.py", "weights": weights, "losses": losses}, file)
        file.write("\n")
    print(name, losses, file=sys.stderr)
