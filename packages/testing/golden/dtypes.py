"""Writes files/safetensors: tensors of all dtypes that safetensors knows, as PyTorch saves them, and beside them their values.

python dtypes.py files/safetensors   (torch==2.15.0, safetensors==0.8.0, numpy)
"""

import json
import math
import os
import sys

import torch
from safetensors.torch import save_file


def number(v):
    if isinstance(v, (bool, int)):
        return v
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    return v


def bits(values, dtype, of):
    return torch.tensor(values, dtype=of).view(dtype)


# Every sign and exponent with some fractions.
HALVES = [s << 15 | e << 10 | f for s in (0, 1) for e in range(32) for f in (0, 1, 0x155, 0x3FF)]
BRAINS = [s << 15 | e << 7 | f for s in (0, 1) for e in (0, 1, 2, 64, 126, 127, 128, 190, 253, 254, 255) for f in (0, 1, 0x2A, 0x7F)]
signed = lambda values: [v - 0x10000 if v & 0x8000 else v for v in values]
BYTES = list(range(256))

TENSORS = {
    "BOOL": torch.tensor([[True, False, True], [False, False, True]]),
    "U8": torch.tensor([0, 1, 128, 255], dtype=torch.uint8),
    "I8": torch.tensor([-128, -1, 0, 127], dtype=torch.int8),
    "U16": torch.tensor([0, 1, 32768, 65535], dtype=torch.uint16),
    "I16": torch.tensor([-32768, -1, 0, 32767], dtype=torch.int16),
    "U32": torch.tensor([0, 1, 2147483647], dtype=torch.uint32),
    "I32": torch.tensor([-2147483648, -1, 0, 2147483647], dtype=torch.int32),
    "U64": torch.tensor([0, 1, 2147483647], dtype=torch.uint64),
    "I64": torch.tensor([[-2147483648, -1], [0, 2147483647]], dtype=torch.int64),
    "F16": bits(signed(HALVES), torch.float16, torch.int16),
    "BF16": bits(signed(BRAINS), torch.bfloat16, torch.int16),
    "F32": torch.tensor([0.1, -0.0, float("nan"), float("inf"), 1e-45, 3.4028234663852886e38]),
    "F64": torch.tensor([0.1, -0.0, float("nan"), float("-inf"), 5e-324, 1.7976931348623157e308], dtype=torch.float64),
    "F8_E4M3": bits(BYTES, torch.float8_e4m3fn, torch.uint8),
    "F8_E5M2": bits(BYTES, torch.float8_e5m2, torch.uint8),
    "F8_E8M0": bits(BYTES, torch.float8_e8m0fnu, torch.uint8),
    "F8_E4M3FNUZ": bits(BYTES, torch.float8_e4m3fnuz, torch.uint8),
    "F8_E5M2FNUZ": bits(BYTES, torch.float8_e5m2fnuz, torch.uint8),
    "scalar": torch.tensor(1.5),
    "none": torch.zeros(0, 3),
}
# What has no dtype among ours.
REFUSED = {
    "too_large": torch.tensor([2**31], dtype=torch.int64),
    "too_small": torch.tensor([-(2**31) - 1], dtype=torch.int64),
    "too_large_unsigned": torch.tensor([2**32 - 1], dtype=torch.uint32),
    "complex": torch.tensor([1 + 2j], dtype=torch.complex64),
    "F4": torch.tensor([0x21], dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
}

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
save_file(TENSORS, os.path.join(folder, "dtypes.safetensors"), metadata={"format": "pt", "note": "\u00e9\n"})
for name, value in REFUSED.items():
    save_file({"x": value}, os.path.join(folder, f"refused_{name}.safetensors"))
values = {}
for name, value in TENSORS.items():
    floats = value.dtype.is_floating_point and value.dtype != torch.float64
    plain = value.to(torch.float32) if floats else value
    values[name] = {
        "shape": list(value.shape),
        "dtype": "bool" if value.dtype == torch.bool else "float64" if value.dtype == torch.float64 else "float32" if floats else "int32",
        "data": [number(v) for v in plain.reshape(-1).tolist()],
    }
with open(os.path.join(folder, "dtypes.json"), "w") as out:
    out.write(json.dumps({"source": f'torch {torch.__version__.split("+")[0]}', "tensors": values}, separators=(",", ":")) + "\n")
