"""The cell of one's own of src/custom-cell.ts in Keras."""

from common import data, keras, np, write

ops = keras.ops


class MinimalGatedCell(keras.layers.Layer):
    """Zhou et al. 2016: one gate f = sigmoid(x W_f + h U_f + b_f), h' = (1 - f) h + f tanh(x W + (f h) U + b)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        def weights(name):
            return (
                self.add_weight(name=name + "_kernel", shape=(input_shape[-1], self.units)),
                self.add_weight(name=name + "_recurrent_kernel", shape=(self.units, self.units)),
                self.add_weight(name=name + "_bias", shape=(self.units,)),
            )

        self.gate = weights("gate")
        self.candidate = weights("candidate")

    def call(self, x, states):
        (h,) = states

        def affine(weights, h):
            kernel, recurrent_kernel, bias = weights
            return ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias

        f = ops.sigmoid(affine(self.gate, h))
        candidate = ops.tanh(affine(self.candidate, f * h))
        output = (1 - f) * h + f * candidate
        return output, [output]


series = np.array(data("custom-cell")["series"], "float32")
window = 8
x = np.stack([series[i : i + window] for i in range(len(series) - window)])[..., None]
y = series[window:, None]
model = keras.Sequential(
    [keras.Input((window, 1)), keras.layers.RNN(MinimalGatedCell(6)), keras.layers.Dense(1)]
)
write("custom-cell", model, x, y, "mse")
