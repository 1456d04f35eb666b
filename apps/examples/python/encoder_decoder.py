"""The encoder and decoder of src/encoder-decoder.ts in Keras."""

from common import data, ids, keras, np, write

layers = keras.layers
pairs = data("encoder-decoder")["pairs"]
source_words = sorted({word for a, _ in pairs for word in a.split()})
target_words = ["<start>", "<end>"] + sorted({word for _, b in pairs for word in b.split()})
length = max(len(a.split()) for a, _ in pairs)
steps = max(len(b.split()) for _, b in pairs) + 1
source = ids([a for a, _ in pairs], source_words, length)
# Teacher forcing: the decoder reads the right word before the one that it says.
given = ids(["<start> " + b for _, b in pairs], target_words, steps)
wanted = ids([b + " <end>" for _, b in pairs], target_words, steps)

units = 8
a = keras.Input((length,), dtype="int32")
b = keras.Input((steps,), dtype="int32")
embedded = layers.Embedding(len(source_words) + 1, 6, mask_zero=True)(a)
memory, h, c = layers.LSTM(units, return_sequences=True, return_state=True)(embedded)
said = layers.Embedding(len(target_words) + 1, 6, mask_zero=True)(b)
states = layers.LSTM(units, return_sequences=True)(said, initial_state=[h, c])
seen = layers.AdditiveAttention()([states, memory])
scores = layers.Dense(len(target_words) + 1)(layers.Concatenate()([states, seen]))
model = keras.Model([a, b], scores)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
write("encoder-decoder", model, [source, given], wanted, loss)
