"""Writes layers/convolution.json: options of convolutions and pooling by Keras on JAX, with jax.vjp gradients.

python convolution.py layers/convolution.json   (keras==3.15.1, jax, numpy)
"""

import json
import math
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import layers as L

rng = np.random.default_rng(20261127)
cases = []


def number(v):
    """The shortest decimal that is this float32."""
    v = float(v)
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    r = float(str(np.float32(v)))
    return int(r) if r == int(r) and not (r == 0 and math.copysign(1, r) < 0) else r


def tensor(a):
    a = np.asarray(a)
    dtype = str(a.dtype)
    data = [bool(x) if dtype == "bool" else int(x) if "int" in dtype else number(x) for x in a.reshape(-1)]
    return {"shape": list(a.shape), "dtype": dtype, "data": data}


def plain(o):
    if isinstance(o, dict):
        return {k: plain(v) for k, v in o.items()}
    if isinstance(o, (list, tuple)):
        return [plain(v) for v in o]
    return o


def draw(*shape):
    return rng.normal(size=shape)


def add(name, make, x, mask=None, states=(), gradients=True):
    """One case: a layer with drawn weights, its outputs, and its gradients for drawn cotangents."""
    keras.utils.clear_session()
    layer = make()
    inputs = {"x": np.asarray(x, np.float32)}
    layer.build(inputs["x"].shape)
    case = {"name": name, "config": {"class_name": type(layer).__name__, "config": plain(layer.get_config())}}
    bias = None
    if "ConvLSTM" in name:
        bias = {w.path: tensor(w.value) for w in layer.weights if w.path.endswith("bias")}
    for w in layer.weights:
        w.assign(rng.normal(size=w.shape).astype("float32") * 0.5)
    for i, s in enumerate(states):
        inputs[f"state{i}"] = np.asarray(s, np.float32)
    case["inputs"] = {k: tensor(v) for k, v in inputs.items()}
    if mask is not None:
        case["call_arguments"] = {"mask": tensor(np.asarray(mask))}
    values = [(w.path, tensor(w.value)) for w in layer.weights]
    case["weights"] = [
        {"name": path, "shape": v["shape"], "dtype": v["dtype"], "trainable": True, "data": v["data"]}
        for path, v in values
    ]
    case["count_params"] = layer.count_params()
    if bias:
        case["initial_bias"] = bias
    trained = [jnp.asarray(w.value) for w in layer.trainable_variables]
    others = [w.value for w in layer.non_trainable_variables]
    names = list(inputs)

    def run(weights, given):
        kwargs = {}
        if mask is not None:
            kwargs["mask"] = jnp.asarray(mask)
        if states:
            kwargs["initial_state"] = list(given[1:])
        out, _ = layer.stateless_call(weights, others, given[0], **kwargs)
        return list(out) if isinstance(out, (list, tuple)) else [out]

    outputs, pullback = jax.vjp(run, trained, [jnp.asarray(inputs[n]) for n in names])
    cotangents = [rng.normal(size=o.shape).astype("float32") for o in outputs]
    of_weights, of_inputs = pullback([jnp.asarray(c) for c in cotangents])
    out_names = ["out"] if len(outputs) == 1 else [f"out{i}" for i in range(len(outputs))]
    case["outputs"] = {n: tensor(o) for n, o in zip(out_names, outputs)}
    if gradients:
        case["gradients"] = {
            "cotangent": {n: tensor(c) for n, c in zip(out_names, cotangents)},
            "inputs": {n: tensor(g) for n, g in zip(names, of_inputs)},
            "weights": [{"name": w.path, **tensor(g)} for w, g in zip(layer.trainable_variables, of_weights)],
        }
    cases.append(case)


def last():
    return draw(2, 9, 4)


def first():
    return draw(2, 4, 9)


for pad in ("valid", "same", "causal"):
    add(
        f"Conv1D_channels_first_{pad}",
        lambda: L.Conv1D(5, 3, strides=2, padding=pad, data_format="channels_first", activation="softmax"),
        first(),
    )
add("Conv1D_groups_same_stride", lambda: L.Conv1D(6, 4, strides=3, padding="same", groups=2), last())
add("Conv1D_groups_causal_dilated", lambda: L.Conv1D(4, 2, dilation_rate=3, padding="causal", groups=4), last())
add("Conv1D_even_same", lambda: L.Conv1D(3, 4, padding="same"), last())
add("Conv1D_long_kernel_same", lambda: L.Conv1D(3, 12, padding="same"), last())
add("Conv1D_whole_sequence", lambda: L.Conv1D(3, 9), last())
add("Conv1D_stride_beyond_kernel", lambda: L.Conv1D(3, 2, strides=4), last())
add("Conv1D_one_channel", lambda: L.Conv1D(7, 3, padding="same"), draw(2, 9, 1))
for df in ("channels_last", "channels_first"):
    x = last if df == "channels_last" else first
    for kw in ({"strides": 2, "padding": "same"}, {"dilation_rate": 2, "padding": "same"}, {"strides": 2, "dilation_rate": 2}):
        tag = "_".join(f"{k}{v}" for k, v in kw.items())
        add(f"DepthwiseConv1D_{df}_{tag}", lambda: L.DepthwiseConv1D(3, depth_multiplier=2, data_format=df, **kw), x())
        add(
            f"SeparableConv1D_{df}_{tag}",
            lambda: L.SeparableConv1D(5, 3, depth_multiplier=2, data_format=df, activation="tanh", **kw),
            x(),
        )
for df in ("channels_last", "channels_first"):
    x = draw(2, 5, 4) if df == "channels_last" else draw(2, 4, 5)
    add(
        f"Conv1DTranspose_{df}_valid",
        lambda: L.Conv1DTranspose(3, 3, strides=2, data_format=df, activation="softmax"),
        x,
    )
for k in (1, 2, 3, 4, 5):
    for pad in ("valid", "same"):
        for s in (1, 2, 3):
            for op in (None, *range(s)) if s > 1 else (None, 0):
                add(
                    f"Conv1DTranspose_k{k}_{pad}_s{s}_op{op}",
                    lambda: L.Conv1DTranspose(2, k, strides=s, padding=pad, output_padding=op, use_bias=False),
                    draw(1, 3, 2),
                )
for pad in ("valid", "same"):
    for k in (2, 3):
        add(f"Conv1DTranspose_k{k}_{pad}_dilated", lambda: L.Conv1DTranspose(2, k, padding=pad, dilation_rate=2), draw(1, 4, 2))
for df in ("channels_last", "channels_first"):
    x = last if df == "channels_last" else first
    for pad in ("valid", "same"):
        add(f"MaxPooling1D_{df}_{pad}", lambda: L.MaxPooling1D(3, 2, padding=pad, data_format=df), x())
        add(f"AveragePooling1D_{df}_{pad}", lambda: L.AveragePooling1D(3, 2, padding=pad, data_format=df), x())
    for keep in (False, True):
        add(f"GlobalMaxPooling1D_{df}_{keep}", lambda: L.GlobalMaxPooling1D(data_format=df, keepdims=keep), x())
        m = rng.random((2, 9)) > 0.4
        add(
            f"GlobalAveragePooling1D_{df}_{keep}_masked",
            lambda: L.GlobalAveragePooling1D(data_format=df, keepdims=keep),
            x(),
            mask=m,
        )
# Ties (as after a ReLU) go to the first of a window, and NaN is larger than all. XLA hands the gradient of a window with NaN to a later element: an artefact,
# so that those two cases compare outputs alone.
r = np.maximum(draw(2, 9, 4), 0)
add("MaxPooling1D_ties_overlapping", lambda: L.MaxPooling1D(3, 1), r)
add("MaxPooling1D_ties_same", lambda: L.MaxPooling1D(4, 2, padding="same"), r)
add("MaxPooling1D_gaps", lambda: L.MaxPooling1D(2, 3), last())
add("MaxPooling1D_wide_same", lambda: L.MaxPooling1D(20, 2, padding="same"), last())
add("AveragePooling1D_wide_same", lambda: L.AveragePooling1D(20, 2, padding="same"), last())
n = draw(2, 9, 3)
n[0, 3, 0] = np.nan
n[0, 4, 1] = -np.inf
n[1, :, 2] = -np.inf
n[1, 2, 1] = np.inf
add("MaxPooling1D_special", lambda: L.MaxPooling1D(3, 2), n, gradients=False)
add("MaxPooling1D_special_same", lambda: L.MaxPooling1D(3, 2, padding="same"), n, gradients=False)
add("ZeroPadding1D_channels_first", lambda: L.ZeroPadding1D((1, 2), data_format="channels_first"), first())
m = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], bool)
RECURRENT = {
    "default": {},
    "same_seq": {"padding": "same", "return_sequences": True},
    "state": {"padding": "same", "return_sequences": True, "return_state": True, "go_backwards": True},
    "strides": {"strides": 2, "padding": "same", "return_state": True},
    "dilated": {"dilation_rate": 2, "return_sequences": True, "use_bias": False},
    "activations": {"activation": "relu", "recurrent_activation": "hard_sigmoid", "unit_forget_bias": False},
}
for name, kw in RECURRENT.items():
    add(f"ConvLSTM1D_{name}", lambda: L.ConvLSTM1D(3, 2, **kw), draw(2, 5, 6, 4))
    add(f"ConvLSTM1D_{name}_masked", lambda: L.ConvLSTM1D(3, 2, unroll=True, **kw), draw(2, 5, 6, 4), mask=m)
add(
    "ConvLSTM1D_channels_first",
    lambda: L.ConvLSTM1D(3, 2, data_format="channels_first", return_sequences=True),
    draw(2, 5, 4, 6),
)
add(
    "ConvLSTM1D_initial_state",
    lambda: L.ConvLSTM1D(3, 2, padding="same", return_state=True),
    draw(2, 5, 6, 4),
    states=(draw(2, 6, 3), draw(2, 6, 3)),
)
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
with open(sys.argv[1], "w") as out:
    source = f'"keras {keras.__version__} (jax backend, CPU, float32)"'
    out.write('{"source":' + source + ',"cases":[\n' + lines + "\n]}\n")
