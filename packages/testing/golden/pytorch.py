"""Writes files/pytorch: state dicts of PyTorch modules as safetensors, and beside each what the module computes with it.

python pytorch.py files/pytorch             (torch==2.15.0, safetensors==0.8.0, numpy)
python pytorch.py --check OUT files/pytorch loads state dicts that we wrote (OUT/NAME.safetensors) into the same modules, and compares their outputs

Outputs are those of the float32 weights in float64 arithmetic.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

torch.manual_seed(20261127)
torch.set_num_threads(1)


def number(v):
    r = float(str(v)) if isinstance(v, int) else float(format(v, ".9g"))
    return int(r) if r == int(r) and r != 0 else r


def tensor(t):
    dtype = {torch.int64: "int32", torch.int32: "int32"}.get(t.dtype, "float32")
    return {"shape": list(t.shape), "dtype": dtype, "data": [number(v) for v in t.reshape(-1).tolist()]}


class Tagger(nn.Module):
    """Modules inside of modules: names have prefixes."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 3, padding_idx=0)
        self.encoder = nn.ModuleDict({"rnn": nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True)})
        self.decoder = nn.GRU(4, 3, batch_first=True)
        self.head = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2, bias=False))

    def forward(self, ids):
        x, _ = self.encoder["rnn"](self.embed(ids))
        y, _ = self.decoder(x)
        return self.head(y[:, -1])


def recurrent(Module, **options):
    return Module(3, 4, batch_first=True, **options)


MODULES = {
    "lstm": lambda: recurrent(nn.LSTM),
    "gru": lambda: recurrent(nn.GRU),
    "rnn_tanh": lambda: recurrent(nn.RNN),
    "rnn_relu": lambda: recurrent(nn.RNN, nonlinearity="relu"),
    "lstm_no_bias": lambda: recurrent(nn.LSTM, bias=False),
    "gru_no_bias": lambda: recurrent(nn.GRU, bias=False),
    "lstm_stack_both_ways": lambda: recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "gru_stack_both_ways": lambda: recurrent(nn.GRU, num_layers=3, bidirectional=True),
    "rnn_stack": lambda: recurrent(nn.RNN, num_layers=2, bias=False),
    "embedding": lambda: nn.Embedding(5, 3),
    "linear": lambda: nn.Linear(3, 4),
    "linear_no_bias": lambda: nn.Linear(3, 4, bias=False),
    "lstm_projected": lambda: recurrent(nn.LSTM, proj_size=2),
    "tagger": Tagger,
}


def run(module, x):
    """Output, and the final states where the module gives them."""
    with torch.no_grad():
        out = module(x)
    if not isinstance(out, tuple):
        return {"out": out}
    states = out[1] if isinstance(out[1], tuple) else (out[1],)
    return {"out": out[0], **{f"state{i}": s for i, s in enumerate(states)}}


def write(folder):
    os.makedirs(folder, exist_ok=True)
    for name, make in MODULES.items():
        module = make()
        save_file(module.state_dict(), os.path.join(folder, f"{name}.safetensors"), metadata={"format": "pt"})
        ids = name in ("embedding", "tagger")
        x = torch.randint(1, 5, (2, 6)) if ids else torch.randn(2, 5, 3)
        outputs = run(module.double(), x if ids else x.double())
        case = {
            "name": name,
            "config": {"names": list(module.state_dict())},
            "inputs": {"x": tensor(x)},
            "outputs": {k: tensor(v) for k, v in outputs.items()},
        }
        with open(os.path.join(folder, f"{name}.json"), "w") as out:
            source = f'"torch {torch.__version__.split("+")[0]} (CPU, float64)"'
            out.write('{"source":' + source + ',"cases":[\n' + json.dumps(case, separators=(",", ":")) + "\n]}\n")


def check(ours, folder):
    failed = 0
    for file in sorted(os.listdir(ours)):
        name = file.removesuffix(".safetensors")
        module = MODULES[name]()
        module.load_state_dict(load_file(os.path.join(ours, file)))
        with open(os.path.join(folder, f"{name}.json")) as f:
            case = json.load(f)["cases"][0]
        given = case["inputs"]["x"]
        x = torch.tensor(given["data"]).reshape(given["shape"])
        found = run(module.double(), x if given["dtype"] == "int32" else x.double())
        worst = 0.0
        for key, expected in case["outputs"].items():
            difference = found[key].reshape(-1) - torch.tensor(expected["data"], dtype=torch.float64)
            worst = max(worst, difference.abs().max().item())
        failed += worst > 1e-6
        print(f"{name}: {worst:.1e}")
    return failed


if sys.argv[1] == "--check":
    sys.exit(1 if check(sys.argv[2], sys.argv[3]) else 0)
write(sys.argv[1])
