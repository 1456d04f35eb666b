"""Reads the event files that packages/testing/dist/checks/tensorboard-run.js wrote with TensorBoard's own package (pip install tensorboard), and compares
what is in them with what was trained. Usage: check-tensorboard.py FOLDER. Ends with `N passed, N failed`."""

import json
import math
import os
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.graph import keras_util
from tensorboard.util import tensor_util

folder = sys.argv[1]
with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
    expected = json.load(file)
passed = failed = 0


def check(name, found, wanted):
    global passed, failed
    if found == wanted:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {name}: found {found}, expected {wanted}")


def as_float32(values):
    return [struct.unpack("f", struct.pack("f", v))[0] for v in values]


for name, model in expected.items():
    runs = {}
    for run in ("train", "validation"):
        directory = os.path.join(folder, name, run)
        files = os.listdir(directory)
        check(f"{name}/{run} is one file", [len(files), "tfevents" in files[0]], [1, True])
        # All records, whose checksums the reader compares; a damaged one would end the file.
        runs[run] = EventAccumulator(directory, size_guidance={"tensors": 0})
        runs[run].Reload()

    def tensors(run, tag):
        return [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in runs[run].Tensors(tag)]

    def scalars(run, tag):
        return [(step, float(value)) for step, value in tensors(run, tag)]

    def plugin(run, tag):
        return runs[run].SummaryMetadata(tag).plugin_data.plugin_name

    for run, tag, values in (
        ("train", "epoch_loss", model["loss"]),
        ("train", "epoch_mae", model["mae"]),
        ("validation", "epoch_loss", model["valLoss"]),
    ):
        check(f"{name}/{run} {tag}", scalars(run, tag), list(enumerate(as_float32(values))))
        check(f"{name}/{run} {tag} is a scalar", plugin(run, tag), "scalars")
    check(f"{name} learning rates", [v for _, v in scalars("train", "epoch_learning_rate")], as_float32([0.001] * 3))
    every_second = [(i + 1, v) for i, v in enumerate(as_float32(model["batches"])) if i % 2 == 1]
    check(f"{name} losses of batches", scalars("train", "batch_loss"), every_second)
    steps = model["iterations"] // 3
    check(
        f"{name} evaluations",
        scalars("validation", "evaluation_loss_vs_iterations"),
        [(steps * (i + 1), v) for i, v in enumerate(as_float32(model["valLoss"]))],
    )
    for tag in ("epoch_steps_per_second", "batch_steps_per_second"):
        check(f"{name} {tag}", all(v > 0 for _, v in scalars("train", tag)), True)
    for weight in model["weights"]:
        tag = f"{weight['path']}/histogram"
        check(f"{name} {tag} is a histogram", plugin("train", tag), "histograms")
        (first, _), (second, rows) = tensors("train", tag)
        values = weight["values"]
        check(f"{name} {tag}: epochs and count", [first, second, rows[:, 2].sum()], [0, 2, len(values)])
        # A single value stands in the middle of an interval of width 1.
        margin = 0.5 if min(values) == max(values) else 0
        check(f"{name} {tag}: range", [rows[0, 0], rows[-1, 1]], [min(values) - margin, max(values) + margin])
        for left, right, count in rows[1:-1]:
            inside = sum(left <= v < right for v in values)
            near = sum(min(abs(v - left), abs(v - right)) < 1e-9 for v in values)
            if abs(inside - count) > near:
                check(f"{name} {tag}: [{left}, {right})", count, inside)
    ((_, summary),) = tensors("train", "model_summary")
    text = summary.item().decode()
    check(f"{name} summary", [layer for layer in model["layers"] if layer not in text], [])
    check(f"{name} summary is text", plugin("train", "model_summary"), "text")
    check(f"{name} graph's plugin", plugin("train", "keras"), "graph_keras_model")
    ((_, config),) = tensors("train", "keras")
    drawn = keras_util.keras_model_to_graph_def(json.loads(config.item()))
    last = {node.name.split("/")[-1]: [i.split("/")[-1] for i in node.input] for node in drawn.node}
    check(f"{name} graph's layers", set(model["layers"]) <= set(last), True)
    if name == "graph":
        check("edges", [last["memory"], last["hidden"], last["output"]], [["steps"], ["memory"], ["hidden"]])
    else:
        check("edges", last["head"], ["recurrent"])
    check(f"{name} numbers", all(math.isfinite(v) for _, v in scalars("train", "epoch_loss")), True)

print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
