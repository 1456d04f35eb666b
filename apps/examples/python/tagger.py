"""The tagger of src/tagger.ts in Keras, which has no CRF: here it is, with keras.ops."""

from common import data, ids, keras, np, write

ops = keras.ops


class CRF(keras.layers.Layer):
    """A linear-chain conditional random field: potentials, and the loss of tags under them. The mask goes no further: the loss reads it from the tags."""

    def __init__(self, tags, **kwargs):
        super().__init__(**kwargs)
        self.tags = tags
        self.supports_masking = True

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.tags))
        self.bias = self.add_weight(name="bias", shape=(self.tags,))
        self.chain_kernel = self.add_weight(name="chain_kernel", shape=(self.tags, self.tags))
        self.left = self.add_weight(name="left_boundary", shape=(self.tags,))
        self.right = self.add_weight(name="right_boundary", shape=(self.tags,))

    def call(self, x):
        return ops.matmul(x, self.kernel) + self.bias

    def compute_mask(self, inputs, mask=None):
        return None

    def loss(self, y_true, potentials):
        """Minus the log-likelihood of each sequence; tags of -1 are padding, at the end."""
        y_true = ops.cast(y_true, "int32")
        valid = ops.cast(y_true >= 0, potentials.dtype)
        y = ops.one_hot(ops.maximum(y_true, 0), self.tags, dtype=potentials.dtype)
        alpha = self.left + potentials[:, 0]
        last = y[:, 0]
        score = ops.sum(y[:, 0] * alpha, axis=-1)
        for t in range(1, potentials.shape[1]):
            on = valid[:, t : t + 1]
            through = ops.logsumexp(alpha[:, :, None] + self.chain_kernel[None], axis=1) + potentials[:, t]
            step = ops.sum((ops.matmul(last, self.chain_kernel) + potentials[:, t]) * y[:, t], axis=-1)
            alpha = on * through + (1 - on) * alpha
            score = score + valid[:, t] * step
            last = on * y[:, t] + (1 - on) * last
        total = ops.logsumexp(alpha + self.right, axis=-1)
        return total - score - ops.sum(last * self.right, axis=-1)


given = data("tagger")
words = sorted({word for sentence in given["sentences"] for word in sentence["words"].split()})
length = max(len(sentence["words"].split()) for sentence in given["sentences"])
x = ids([sentence["words"] for sentence in given["sentences"]], words, length)
rows = [[given["tags"].index(tag) for tag in sentence["tags"].split()] for sentence in given["sentences"]]
y = np.array([row + [-1] * (length - len(row)) for row in rows], "int32")

crf = CRF(len(given["tags"]))
model = keras.Sequential(
    [
        keras.Input((length,), dtype="int32"),
        keras.layers.Embedding(len(words) + 1, 6, mask_zero=True),
        keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True)),
        crf,
    ]
)
write("tagger", model, x, y, crf.loss)
