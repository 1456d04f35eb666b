"""Writes files/onnx: modules as PyTorch's exporters write them, and beside them what PyTorch computes.

python onnx.py files/onnx      (torch==2.15.0, onnx==1.23.2, onnxscript==0.7.2, onnxruntime==1.32.0, numpy)

Each module is written by the old exporter (`torchscript`, sizes open and fixed) and, where it can, by the new one (`dynamo`).
Outputs are those of the float32 weights in float64 arithmetic. `made` are graphs as other makers write them (tf2onnx among them), made node by node; their
outputs are those of onnxruntime. `cases.json` holds inputs and outputs as the graphs have them.
"""

import contextlib
import io
import json
import logging
import math
import os
import sys
import warnings

# This file is not the library of its name.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from onnx import helper as h  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.manual_seed(20261127)
torch.set_num_threads(1)


def number(v):
    r = float(format(v, ".9g"))
    return int(r) if r == int(r) and r != 0 else r


def tensor(t):
    dtype = {torch.int64: "int32", torch.int32: "int32"}.get(t.dtype, "float32")
    return {"shape": list(t.shape), "dtype": dtype, "data": [number(v) for v in t.reshape(-1).tolist()]}


class Classifier(nn.Module):
    """Ids -> classes: of the last step, the final states, the mean over steps, or of every step."""

    def __init__(self, kind, head, **options):
        super().__init__()
        self.head = head
        self.embed = nn.Embedding(7, 3)
        self.rnn = getattr(nn, kind)(3, 2, batch_first=options.pop("batch_first", True), **options)
        self.out = nn.Linear(4 if self.rnn.bidirectional else 2, 3)

    def forward(self, ids):
        y, states = self.rnn(self.embed(ids))
        h = states[0] if isinstance(states, tuple) else states
        if self.head == "last":
            y = y[:, -1] if self.rnn.batch_first else y[-1]
        elif self.head == "states":
            y = torch.cat([h[-2], h[-1]], -1) if self.rnn.bidirectional else h[-1]
        elif self.head == "mean":
            y = y.mean(1 if self.rnn.batch_first else 0)
        elif self.head == "max":
            y = y.max(1).values
        return torch.log_softmax(self.out(y), -1) if self.head == "every" else self.out(y)


class Stateful(nn.Module):
    """States come in and go out."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 2, batch_first=True, **options)

    def forward(self, x, *states):
        y, after = self.rnn(x, states if len(states) == 2 else states[0])
        return (y, *after) if isinstance(after, tuple) else (y, after)


class Learned(nn.Module):
    """Initial states that are parameters, the same for all samples."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 2, batch_first=True, bidirectional=True)
        self.begin = nn.Parameter(torch.randn(2, 1, 2))

    def forward(self, x):
        return self.rnn(x, self.begin.expand(2, x.shape[0], 2).contiguous())[0]


class Translator(nn.Module):
    """An encoder whose final states a decoder begins with, and attention between them."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(3, 4, batch_first=True)
        self.decoder = nn.LSTM(2, 4, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x, y):
        seen, states = self.encoder(x)
        own, _ = self.decoder(y, states)
        shares = torch.softmax(own @ seen.transpose(1, 2), -1)
        return self.out(torch.cat([shares @ seen, own], -1))


class Packed(nn.Module):
    """Sequences of their own lengths."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 2, batch_first=True, **options)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=True)
        y, states = self.rnn(packed)
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return y, states[0] if isinstance(states, tuple) else states


class Additive(nn.Module):
    """Steps weighed by what a small net says of them."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 2, batch_first=True, bidirectional=True)
        self.weigh = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1, bias=False))
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        y, _ = self.rnn(x)
        shares = torch.softmax(self.weigh(y), 1)
        return self.out((shares * y).sum(1))


class SelfAttention(nn.Module):
    """Attention as people write it: without heads, and in heads."""

    def __init__(self, heads, causal=False):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(6, 18, bias=causal)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.heads > 1:
            q, k, v = (t.reshape(x.shape[0], -1, self.heads, 6 // self.heads).transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if self.causal:
            scores = scores + torch.full((5, 5), -1e9).triu(1).to(scores.dtype)
        y = torch.softmax(scores, -1) @ v
        if self.heads > 1:
            y = y.transpose(1, 2).reshape(x.shape[0], -1, 6)
        return self.out(y)


class Heads(nn.Module):
    """`nn.MultiheadAttention`, of itself and of another sequence."""

    def __init__(self, cross=False):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        for bias in (self.attention.in_proj_bias, self.attention.out_proj.bias):
            nn.init.normal_(bias)

    def forward(self, x, memory=None):
        memory = x if memory is None else memory
        return self.attention(x, memory, memory, need_weights=False)[0]


class Convolutional(nn.Module):
    """Convolutions over embeddings, with normalization, pooling and dropout."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.conv = nn.Conv1d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 1.5)
        self.second = nn.Conv1d(6, 4, 2, stride=2, dilation=1, groups=2)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(4, 2)

    def forward(self, ids):
        x = torch.relu(self.norm(self.conv(self.embed(ids).transpose(1, 2))))
        x = self.drop(self.second(x)).max(-1).values
        return self.out(x)


class Residual(nn.Module):
    """LayerNorm, GELU, a sum and a concatenation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        nn.init.normal_(self.norm.weight)
        self.up, self.down = nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x):
        y = x + self.down(nn.functional.gelu(self.up(self.norm(x))))
        return torch.cat([y, x], -1)


def encoder(**options):
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, **options), 2, enable_nested_tensor=False
    )


IDS = lambda: torch.tensor([[3, 1, 4, 0, 2], [0, 5, 2, 6, 1]])  # noqa: E731
X = lambda *shape: lambda: torch.randn(shape)  # noqa: E731


def cases():
    for kind in ("LSTM", "GRU", "RNN"):
        for head, options in (
            ("last", {}),
            ("states", {"num_layers": 2}),
            ("mean", {"bidirectional": True}),
            ("every", {"num_layers": 2, "bidirectional": True}),
            ("states", {"num_layers": 2, "bidirectional": True}),
            ("last", {"bidirectional": True, "bias": False}),
            ("every", {"batch_first": False, "num_layers": 2}),
        ):
            extra = {"nonlinearity": "relu"} if kind == "RNN" and head == "mean" else {}
            name = "_".join([kind.lower(), head, *(k if v is True else f"{k}{v}" for k, v in options.items())])
            yield name, Classifier(kind, head, **options, **extra), [IDS()]
    yield "lstm_max", Classifier("LSTM", "max"), [IDS()]
    for kind, options in (("LSTM", {}), ("GRU", {"num_layers": 2}), ("LSTM", {"bidirectional": True})):
        n = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        states = [torch.randn(n, 2, 2) for _ in range(2 if kind == "LSTM" else 1)]
        yield f"states_{kind.lower()}_{n}", Stateful(kind, **options), [torch.randn(2, 5, 3), *states]
    yield "learned_states", Learned(), [torch.randn(2, 5, 3)]
    yield "translator", Translator(), [torch.randn(2, 5, 3), torch.randn(2, 4, 2)]
    for kind, options in (("LSTM", {}), ("GRU", {"bidirectional": True})):
        name = f"packed_{kind.lower()}"
        yield name, Packed(kind, **options), [torch.randn(3, 5, 3), torch.tensor([5, 3, 1])]
    yield "additive_attention", Additive(), [torch.randn(2, 5, 3)]
    yield "attention", SelfAttention(1), [torch.randn(2, 5, 6)]
    yield "attention_heads", SelfAttention(2), [torch.randn(2, 5, 6)]
    yield "attention_causal", SelfAttention(3, causal=True), [torch.randn(2, 5, 6)]
    yield "multihead", Heads(), [torch.randn(2, 5, 6)]
    yield "multihead_cross", Heads(), [torch.randn(2, 5, 6), torch.randn(2, 4, 6)]
    yield "transformer", encoder(), [torch.randn(2, 5, 6)]
    yield "transformer_norm_first", encoder(norm_first=True, activation="gelu"), [torch.randn(2, 5, 6)]
    yield "convolutional", Convolutional(), [IDS()]
    yield "residual", Residual(), [torch.randn(2, 5, 4)]


random = np.random.default_rng(20261127)
F, I = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def weights(*shape):
    return random.normal(size=shape).astype(np.float32) / 2


def listed(name, value):
    """A tensor whose elements are written one by one, rather than as bytes."""
    kind = I if value.dtype == np.int64 else F
    return h.make_tensor(name, kind, value.shape, value.ravel().tolist())


def made():
    """name, nodes, constants, inputs (name, type, shape), outputs, feeds"""
    x = weights(2, 5, 3)
    sequence = [("x", F, ["n", "t", 3])]
    lstm = {"W": weights(1, 8, 3), "R": weights(1, 8, 2), "B": weights(1, 16)}
    gru = {"W": weights(2, 6, 3), "R": weights(2, 6, 2), "B": weights(2, 12)}
    ints = lambda *v: np.array(v, np.int64)  # noqa: E731

    # As tf2onnx writes a Keras LSTM: lengths that are the number of steps, states of zeros as long as the batch.
    yield (
        "tf2onnx",
        [
            h.make_node("Shape", ["x"], ["shape"]),
            h.make_node("Slice", ["shape", "zero", "one", "zero"], ["batch"]),
            h.make_node("Slice", ["shape", "one", "two", "zero"], ["time"]),
            h.make_node("Cast", ["time"], ["steps"], to=onnx.TensorProto.INT32),
            h.make_node("Tile", ["steps", "batch"], ["lengths"]),
            h.make_node("Concat", ["one", "batch", "two"], ["states"], axis=0),
            h.make_node("Expand", ["fill", "states"], ["begin"]),
            h.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]),
            h.make_node("LSTM", ["turned", "W", "R", "B", "lengths", "begin", "begin"], ["y"], hidden_size=2),
            h.make_node("Squeeze", ["y", "one"], ["y1"]),
            h.make_node("Transpose", ["y1"], ["y2"], perm=[1, 0, 2]),
            h.make_node("MatMul", ["y2", "D"], ["y3"]),
            h.make_node("Add", ["y3", "d"], ["y4"]),
            h.make_node("Softmax", ["y4"], ["out"], axis=-1),
        ],
        {**lstm, "D": weights(2, 3), "d": weights(3), "zero": ints(0), "one": ints(1), "two": ints(2),
         "fill": np.zeros((1, 1, 1), np.float32)},
        sequence, [("out", F, ["n", "t", 3])], {"x": x},
    )
    # Lengths that are fewer than steps, both ways, with states to begin with.
    yield (
        "lengths",
        [
            h.make_node("GRU", ["x", "W", "R", "B", "lengths", "begin"], ["y", "h"], hidden_size=2,
                        direction="bidirectional", linear_before_reset=1),
        ],
        gru,
        [("x", F, [5, "n", 3]), ("lengths", onnx.TensorProto.INT32, ["n"]), ("begin", F, [2, "n", 2])],
        [("y", F, [5, 2, "n", 2]), ("h", F, [2, "n", 2])],
        {"x": weights(5, 3, 3), "lengths": np.array([5, 2, 3], np.int32), "begin": weights(2, 3, 2)},
    )
    # Gates that are reset before the product, backwards, with hard sigmoids; the sequence behind it in order again.
    one = {key: value[:1] for key, value in gru.items()}
    yield (
        "reset_before",
        [
            h.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]),
            h.make_node("GRU", ["turned", "W", "R", "B"], ["y", "h"], hidden_size=2, direction="reverse",
                        activations=["HardSigmoid", "Softsign"], activation_alpha=[1 / 6], activation_beta=[0.5]),
            h.make_node("Squeeze", ["h", "zero"], ["out"]),
        ],
        {**one, "zero": ints(0)}, sequence, [("out", F, ["n", 2])], {"x": x},
    )
    # A constant state that all samples begin with, repeated as often as there are samples.
    yield (
        "begins_with_constant",
        [
            h.make_node("Shape", ["x"], ["shape"]),
            h.make_node("Gather", ["shape", "index"], ["n"], axis=0),
            h.make_node("Unsqueeze", ["n", "zero"], ["n1"]),
            h.make_node("Concat", ["one", "n1", "two"], ["states"], axis=0),
            h.make_node("ConstantOfShape", ["states"], ["begin"], value=h.make_tensor("v", F, [1], [0.5])),
            h.make_node("Expand", ["cell", "states"], ["c"]),
            h.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]),
            h.make_node("LSTM", ["turned", "W", "R", "", "", "begin", "c"], ["", "out3"], hidden_size=2),
            h.make_node("Squeeze", ["out3", "zero"], ["out"]),
        ],
        {"W": lstm["W"], "R": lstm["R"], "cell": weights(1, 1, 2), "index": np.array(0, np.int64), "zero": ints(0),
         "one": ints(1), "two": ints(2)},
        sequence, [("out", F, ["n", 2])], {"x": x},
    )
    # Constants of Constant nodes, of every kind; factors of Gemm; a mean over steps; what opset 13 has no operator for.
    yield (
        "old_operators",
        [
            h.make_node("Constant", [], ["half"], value_float=0.5),
            h.make_node("Constant", [], ["scales"], value_floats=[1.0, 2.0, -1.0]),
            h.make_node("Constant", [], ["last"], value_ints=[-1]),
            h.make_node("Constant", [], ["square"], value=h.make_tensor("v", F, [], [2.0])),
            h.make_node("Mul", ["x", "scales"], ["x1"]),
            h.make_node("ReduceMean", ["x1"], ["mean"], axes=[-1], keepdims=1),
            h.make_node("Sub", ["x1", "mean"], ["centred"]),
            h.make_node("Pow", ["centred", "square"], ["squares"]),
            h.make_node("ReduceMean", ["squares"], ["variance"], axes=[-1], keepdims=1),
            h.make_node("Add", ["variance", "epsilon"], ["shifted"]),
            h.make_node("Sqrt", ["shifted"], ["root"]),
            h.make_node("Div", ["centred", "root"], ["normal"]),
            h.make_node("Mul", ["normal", "gamma"], ["scaled"]),
            h.make_node("Add", ["scaled", "beta"], ["y"]),
            h.make_node("Mul", ["y", "rooted"], ["y1"]),
            h.make_node("Erf", ["y1"], ["y2"]),
            h.make_node("Add", ["y2", "unit"], ["y3"]),
            h.make_node("Mul", ["half", "y"], ["y4"]),
            h.make_node("Mul", ["y4", "y3"], ["gelu"]),
            h.make_node("ReduceMean", ["gelu"], ["pooled"], axes=[1], keepdims=0),
            h.make_node("Gemm", ["pooled", "K", "k"], ["out"], alpha=2.0, beta=0.5),
        ],
        {"epsilon": np.array(1e-3, np.float32), "gamma": weights(3), "beta": weights(3), "unit": np.array(1, np.float32),
         "rooted": np.array(math.sqrt(0.5), np.float32), "K": weights(3, 4), "k": weights(4)},
        sequence, [("out", F, ["n", 4])], {"x": x}, 13,
    )


def write_made(folder, only):
    for name, nodes, constants, inputs, outputs, feeds, *opset in made():
        if only not in name:
            continue
        graph = h.make_graph(
            nodes, name, [h.make_tensor_value_info(*i) for i in inputs], [h.make_tensor_value_info(*o) for o in outputs],
            [listed(k, v) if i % 2 else numpy_helper.from_array(v, k) for i, (k, v) in enumerate(constants.items())],
        )
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", *(opset or [17]))], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        content = model.SerializeToString()
        with open(os.path.join(folder, f"{name}.made.onnx"), "wb") as f:
            f.write(content)
        found = onnxruntime.InferenceSession(content).run(None, feeds)
        yield {
            "name": name,
            "config": {"files": {"made": f"{name}.made.onnx"}},
            "inputs": {n: tensor(torch.from_numpy(v)) for n, v in feeds.items()},
            "outputs": {f"out{i}": tensor(torch.from_numpy(v)) for i, v in enumerate(found)},
        }


def axes(i, x):
    if x.dim() == 3 and i > 0 and x.shape[-1] == 2 and x.shape[1] == 2:
        return {1: "batch"}
    return {0: "batch"} if x.dim() == 1 else {0: "batch", 1: f"time{i}" if i else "time"}


def old(module, inputs, names, dynamic, opset):
    f = io.BytesIO()
    torch.onnx.export(
        module, tuple(inputs), f, dynamo=False, input_names=names, opset_version=opset,
        dynamic_axes={n: axes(i, x) for i, (n, x) in enumerate(zip(names, inputs))} if dynamic else None,
    )
    return f.getvalue()


def new(module, inputs, names, dynamic):
    shapes = tuple({k: torch.export.Dim.DYNAMIC for k in axes(i, x)} for i, x in enumerate(inputs)) if dynamic else None
    with contextlib.redirect_stdout(io.StringIO()):
        model = torch.onnx.export(
            module, tuple(inputs), dynamo=True, verbose=False, input_names=names, dynamic_shapes=shapes
        ).model_proto
    # What it says of Python's stack is most of the file.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    for value in model.graph.initializer:
        del value.metadata_props[:]
    del model.metadata_props[:]
    return model.SerializeToString()


def main(folder):
    os.makedirs(folder, exist_ok=True)
    written = []
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    for name, module, inputs in cases():
        if only not in name:
            continue
        module.eval()
        names = ["x", "y", "z"][: len(inputs)]
        files = {}
        ways = {
            "open": lambda: old(module, inputs, names, True, 17),
            "fixed": lambda: old(module, inputs, names, False, 20),
            "dynamo": lambda: new(module, inputs, names, False),
            "dynamo_open": lambda: new(module, inputs, names, True),
        }
        for way, write in ways.items():
            try:
                content = write()
            except Exception as error:  # noqa: BLE001 - the new exporter cannot write everything
                print(f"{name}: {way}: {type(error).__name__}", file=sys.stderr)
                continue
            onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
            files[way] = f"{name}.{way}.onnx"
            with open(os.path.join(folder, files[way]), "wb") as f:
                f.write(content)
        with torch.no_grad():
            outputs = module.double()(*[x.double() if x.is_floating_point() else x for x in inputs])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        written.append({
            "name": name,
            "config": {"files": files},
            "inputs": {n: tensor(x) for n, x in zip(names, inputs)},
            "outputs": {f"out{i}": tensor(y) for i, y in enumerate(outputs)},
        })
    written.extend(write_made(folder, only))
    with open(os.path.join(folder, "cases.json"), "w") as f:
        source = f'"torch {torch.__version__.split("+")[0]} (CPU, float64), onnxruntime {onnxruntime.__version__}"'
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
        f.write('{"source":' + source + ',"cases":[\n' + lines + "\n]}\n")


main(sys.argv[1])
