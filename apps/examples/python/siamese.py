"""The siamese model of src/siamese.ts in Keras."""

from common import data, ids, keras, np, write

layers = keras.layers
pairs = data("siamese")["pairs"]
words = sorted({word for a, b, _ in pairs for word in (a + " " + b).split()})
length = max(len(text.split()) for a, b, _ in pairs for text in (a, b))
first = ids([a for a, _, _ in pairs], words, length)
second = ids([b for _, b, _ in pairs], words, length)
labels = np.array([[same] for _, _, same in pairs], "float32")

text = keras.Input((length,), dtype="int32")
encoder = keras.Model(text, layers.GRU(6)(layers.Embedding(len(words) + 1, 5, mask_zero=True)(text)))
a = keras.Input((length,), dtype="int32")
b = keras.Input((length,), dtype="int32")
left, right = encoder(a), encoder(b)
difference = layers.Subtract()([left, right])
features = layers.Concatenate()([layers.Multiply()([difference, difference]), layers.Multiply()([left, right])])
model = keras.Model([a, b], layers.Dense(1, activation="sigmoid")(features))
write("siamese", model, [first, second], labels, "binary_crossentropy")
