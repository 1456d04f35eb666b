"""Writes names.json: the public names of Keras whose counterparts the documentation lists. Run it where Keras is installed: python names.py"""

import inspect
import json
import pathlib

import keras

AREAS = ["layers", "losses", "metrics", "optimizers", "callbacks", "initializers", "regularizers", "constraints"]


def classes(module):
    return sorted({name for name, value in vars(module).items() if inspect.isclass(value) and name[0].isupper()})


names = {area: classes(getattr(keras, area)) for area in AREAS}
names["models"] = ["Functional", "Model", "Sequential"]
names["schedules"] = classes(keras.optimizers.schedules)
names["activations"] = sorted(
    name
    for name, value in vars(keras.activations).items()
    if inspect.isfunction(value) and name not in ("get", "serialize", "deserialize")
)
path = pathlib.Path(__file__).with_name("names.json")
path.write_text(json.dumps({"keras": keras.__version__, "names": names}, indent=2) + "\n")
