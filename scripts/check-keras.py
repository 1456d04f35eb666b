"""Opens in Keras the models that `check-keras.mjs` saved, trains each for one more epoch, and writes what came of it.
Usage: check-keras.py CASES RESULTS."""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
import numpy as np

FIT = {"epochs": 1, "batch_size": 4, "shuffle": False, "verbose": 0}


def read(value):
    if "data" in value and "dtype" in value:
        return np.asarray(value["data"], value["dtype"]).reshape(value["shape"])
    return {key: read(child) for key, child in value.items()}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    value = np.asarray(value)
    return {"shape": list(value.shape), "dtype": str(value.dtype), "data": value.ravel().tolist()}


def reset(model):
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()


def rows(value, which):
    if isinstance(value, dict):
        return {key: rows(child, which) for key, child in value.items()}
    return value[which]


def predict(model, x):
    reset(model)
    # Batch by batch: on JAX, Keras' own `predict` does not carry the states of stateful layers from one to the next.
    count = len(next(iter(x.values())) if isinstance(x, dict) else x)
    outputs = [model(rows(x, slice(i, i + 4))) for i in range(0, count, 4)]
    if isinstance(outputs[0], dict):
        result = plain({key: np.concatenate([np.asarray(o[key]) for o in outputs]) for key in outputs[0]})
    else:
        result = plain(np.concatenate([np.asarray(o) for o in outputs]))
    reset(model)
    return result


def weights(model):
    return [plain(w.numpy()) for w in model.weights]


def train(model, case, x, y):
    some = slice(0, case["rows"])
    x, y = rows(x, some), rows(y, some)
    reset(model)
    return float(model.fit(x, y, **FIT).history["loss"][0])


def one(kind, case, x, y):
    path = case["files"]["keras" if kind == "weights.h5" else kind]
    model = keras.models.load_model(path, compile=not (kind == "h5" and case.get("uncompiledH5", False)))
    if kind == "weights.h5":
        # Other values first: what is compared has to come from the file.
        for w in model.weights:
            w.assign(w.numpy() * 0 + 0.5)
        model.load_weights(case["files"][kind])
    result = {"weights": weights(model), "before": predict(model, x)}
    if not case.get("train", True):
        if kind == "keras":
            model.save(case["theirs"])
        return result, None
    if kind == "h5":
        # Keras itself restores no optimizer's state from this format.
        return result, None
    result["loss"] = train(model, case, x, y)
    result["weightsAfter"] = weights(model)
    result["after"] = predict(model, x)
    if kind != "keras":
        return result, None
    model.save(case["theirs"])
    if case.get("theirsH5"):
        model.save(case["theirsH5"])
    return result, {"loss": train(model, case, x, y), "weights": weights(model)}


def main():
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    results = {}
    for case in cases:
        x, y = read(case["x"]), read(case["y"])
        results[case["name"]] = {"files": {}, "further": None}
        for kind in case["files"]:
            keras.utils.clear_session(free_memory=False)
            try:
                result, further = one(kind, case, x, y)
            except Exception as error:
                result, further = {"error": f"{type(error).__name__}: {error}"[:600]}, None
            results[case["name"]]["files"][kind] = result
            results[case["name"]]["further"] = further or results[case["name"]]["further"]
    with open(sys.argv[2], "w") as file:
        json.dump(results, file)


main()
