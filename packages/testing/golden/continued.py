"""Goes on training, in Keras, the models of `files` that were trained, and writes what came of it to `files/continued.json`.

    KERAS_BACKEND=jax python continued.py

Each model of `files/NAME.keras` is loaded with its optimizer's state, and trained for two more steps, of one batch each.
"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
STEPS = 2


def tensor(value):
    value = np.asarray(value)
    return {
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "data": [float(str(v)) if value.dtype == np.float32 else v.item() for v in value.ravel()],
    }


def targets(case, rng):
    """Targets as the loss of the model wants them."""
    shape = case["outputs"]["out"]["shape"]
    loss = case["config"]["model"]["compile_config"]["loss"]
    if loss == "sparse_categorical_crossentropy":
        return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, shape).astype("float32")
    return rng.normal(size=shape).round(3).astype("float32")


def main():
    rng = np.random.default_rng(7)
    cases = []
    for name in ["batchnorm_trained_adam", "lstm_trained_momentum", "text_lstm"]:
        with open(os.path.join(FOLDER, f"{name}.json")) as file:
            case = json.load(file)["cases"][0]
        x = case["inputs"]["x"]
        x = np.asarray(x["data"], x["dtype"]).reshape(x["shape"])
        y = targets(case, rng)
        model = keras.models.load_model(os.path.join(FOLDER, f"{name}.keras"))
        # Losses one by one: the mean over an epoch would hide which step differs.
        losses = [float(model.train_on_batch(x, y, return_dict=True)["loss"]) for _ in range(STEPS)]
        cases.append(
            {
                "name": f"{name}_continued",
                "files": {"keras": f"{name}.keras", "h5": f"{name}.h5"},
                "inputs": {"x": tensor(x)},
                "targets": tensor(y),
                "losses": losses,
                "weights": [{"name": w.path, **tensor(w.numpy())} for w in model.weights],
                "optimizer_variables": [{"name": v.path, **tensor(v.numpy())} for v in model.optimizer.variables],
            }
        )
    source = f"keras {keras.version()} ({keras.backend.backend()} backend, CPU, float32)"
    with open(os.path.join(FOLDER, "continued.json"), "w") as file:
        file.write(f'{{"source":{json.dumps(source)},"cases":[\n')
        file.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
        file.write("\n]}\n")


main()
