"""The tasks of src/text-worker.ts with Keras: milliseconds by task, the least of some repetitions. Arguments: file, language."""
import gzip
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
from keras.src.legacy.preprocessing.text import Tokenizer

REPETITIONS = 3


def least(f):
    best = float("inf")
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        f()
        best = min(best, (time.perf_counter() - start) * 1000)
    return best


path, language = sys.argv[1:3]
with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
    texts = [json.loads(line)["text"] for line in lines if line.strip()]
characters = language == "zh"
results = {}


def fit():
    t = Tokenizer(oov_token="<OOV>", char_level=characters)
    t.fit_on_texts(texts)
    return t


results["fit"] = least(fit)
tokenizer = fit()
results["encode"] = least(lambda: tokenizer.texts_to_sequences(texts))
sequences = tokenizer.texts_to_sequences(texts)


def vectorization():
    layer = keras.layers.TextVectorization(max_tokens=20000, split="character" if characters else "whitespace")
    layer.adapt(texts)
    return layer


results["adapt"] = least(vectorization)
layer = vectorization()


def vectorize():
    for i in range(0, len(texts), 256):
        layer(texts[i : i + 256])


results["vectorize"] = least(vectorize)
results["pad"] = least(lambda: keras.utils.pad_sequences(sequences, maxlen=200))


def batches():
    for i in range(0, len(sequences), 32):
        keras.utils.pad_sequences(sequences[i : i + 32], padding="post")


results["batches"] = least(batches)
print(json.dumps({"texts": len(texts), "words": len(tokenizer.word_index), "results": results}))
