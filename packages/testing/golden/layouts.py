"""Writes files/hdf5 with h5py (3.16 on HDF5 2.0): layouts that HDF5 files may have, with values that formulas give."""

import os

import h5py
import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files", "hdf5")
X = (np.arange(11 * 7 * 3).reshape(11, 7, 3) / 4).astype("f4")


def fill(f):
    group = f.create_group("layers/dense/vars")
    group.attrs["name"] = "dense"
    group.create_dataset("0", data=X)
    types = f.create_group("types")
    for name, value in {
        "i1": np.int8([-3, 4]),
        "u1": np.uint8([250, 4]),
        "i2": np.int16([-300, 4]),
        "u2": np.uint16([65000, 1]),
        "i4": np.int32([-(2**31), 7]),
        "u4": np.uint32([7, 8]),
        "i8": np.int64([-5, 2**31 - 1]),
        "u8": np.uint64([3, 4]),
        "f2": np.float16([1.5, -0.0, 6e-8, np.inf]),
        "f4": np.float32([1.5, -0.0, 1e-45, -np.inf]),
        "f8": np.float64([1.5, 1e300]),
        "big": np.array([1.5, -2], ">f4"),
        "bigger": np.array([-300, 4], ">i2"),
        "bool": np.array([True, False]),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), "f4"),
    }.items():
        types.create_dataset(name, data=value)
    chunked = f.create_group("chunked")
    chunked.create_dataset("plain", data=X, chunks=(4, 3, 2))
    chunked.create_dataset("deflated", data=X, chunks=(4, 3, 2), compression="gzip")
    chunked.create_dataset("all", data=X, chunks=(4, 3, 2), compression="gzip", shuffle=True, fletcher32=True)
    chunked.create_dataset("checked", data=X, chunks=(4, 3, 2), fletcher32=True)
    chunked.create_dataset("growing", data=np.arange(5, dtype="f4"), chunks=(2,), maxshape=(None,))
    f.attrs["texts"] = np.array([b"abc", b"de"], dtype="S4")
    f.attrs["own"] = ["x", "ünï", ""]
    f.attrs["one"] = "hällo"
    f.attrs["number"] = 7
    f.attrs["half"] = 2.5
    f.attrs["list"] = np.arange(4)
    f.attrs["nothing"] = h5py.Empty("f")
    many = f.create_group("many")
    for i in range(40):
        many.create_dataset(f"d{i}", data=np.float32(i))


def new(name, **options):
    return h5py.File(os.path.join(HERE, name), "w", **options)


with new("layouts.h5") as f:
    fill(f)
with new("block.h5", userblock_size=512) as f:
    f.create_dataset("x", data=X)
with new("latest.h5", libver="latest") as f:
    group = f.create_group("layers/dense/vars")
    group.attrs["name"] = "dense"
    group.create_dataset("0", data=X)
with new("soft.h5") as f:
    f.create_dataset("a", data=[1.0])
    f["b"] = h5py.SoftLink("/a")
with new("external.h5") as f:
    f["b"] = h5py.ExternalLink("/etc/passwd", "/a")
with new("cycle.h5") as f:
    f.create_group("a")
    f["a/b"] = f["/"]
with new("twice.h5") as f:
    f.create_dataset("a", data=[1.0])
    f["b"] = f["a"]
with new("raw.h5") as f:
    f.create_dataset("a", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])
with new("virtual.h5") as f:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("x.h5", "a", shape=(4,))
    f.create_virtual_dataset("v", layout)
with new("lzf.h5") as f:
    f.create_dataset("a", data=np.zeros(50), compression="lzf")
with new("complex.h5") as f:
    f.create_dataset("a", data=np.zeros(3, "c8"))
with new("words.h5") as f:
    f.create_dataset("a", data=["x", "y"])
with new("unwritten.h5") as f:
    f.create_dataset("a", shape=(2**40,), dtype="f4")
with new("sparse.h5") as f:
    f.create_dataset("a", shape=(400000,), dtype="f4", chunks=(10,))
with new("many.h5", libver="latest") as f:
    for i in range(20):
        f.create_group(f"g{i}")
with new("large.h5") as f:
    f.create_dataset("a", data=np.int64([2**31]))
with new("custom.h5") as f:
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(30, 22, 8, 0, 22)
    kind.set_ebias(100)
    data = h5py.h5d.create(f.id, b"a", kind, h5py.h5s.create_simple((3,)))
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ones(3, "f4"))
with new("deep.h5", libver="latest") as f:
    f.create_group("/".join("g" * 300))
