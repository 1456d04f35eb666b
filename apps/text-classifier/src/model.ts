import { Bidirectional, Dense, Dropout, Embedding, GRU, Input, LSTM, Sequential, SimpleRNN } from 'recurra';
import { sizeOf } from 'recurra/extend';

/** Kinds of recurrent layers. */
export const CELLS = ['lstm', 'gru', 'rnn'] as const;
export type CellKind = (typeof CELLS)[number];

/** What a person chooses of a model. */
export interface Architecture {
  readonly cell: CellKind;
  readonly units: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly embedding: number;
  readonly dropout: number;
}

/** What the data decide. */
export interface Sizes {
  /** Ids of words, with padding and the unknown one. */
  readonly vocabulary: number;
  readonly maxLength: number;
  readonly classes: number;
}

/** Largest values that options and files may hold: beyond, it is a slip, or more than a computer of today can train. */
export const LIMITS = {
  units: 16_384,
  layers: 64,
  embedding: 16_384,
  maxLength: 100_000,
  /** All weights together: as many as a saved file can hold (base64 within the longest string of V8). */
  weights: 90_000_000,
} as const;

/** Ids of words on the way in, probabilities of classes on the way out. */
export function buildModel(architecture: Architecture, sizes: Sizes): Sequential {
  const { units, layers, bidirectional, embedding, dropout } = architecture;
  const recurrent = Array.from({ length: layers }, (_, i) => {
    const name = `${architecture.cell}_${i + 1}`;
    const options = { name, returnSequences: i < layers - 1 };
    const layer =
      architecture.cell === 'lstm'
        ? new LSTM(units, options)
        : architecture.cell === 'gru'
          ? new GRU(units, options)
          : new SimpleRNN(units, options);
    return bidirectional ? new Bidirectional(layer, { name: `bidirectional_${i + 1}` }) : layer;
  });
  return new Sequential(
    [
      Input({ shape: [sizes.maxLength], dtype: 'int32' }),
      new Embedding(sizes.vocabulary, embedding, { name: 'embedding', maskZero: true }),
      new Dropout(dropout, { name: 'dropout_before' }),
      ...recurrent,
      new Dropout(dropout, { name: 'dropout_after' }),
      new Dense(sizes.classes, { name: 'classes', activation: 'softmax' }),
    ],
    { name: 'text_classifier' },
  );
}

/** The shapes of the model's weights, in their order, without building it: whoever reads a file knows the sizes before it allocates. */
export function weightShapes(architecture: Architecture, sizes: Sizes): number[][] {
  const { cell, units, layers, bidirectional, embedding } = architecture;
  const gates = { lstm: 4, gru: 3, rnn: 1 }[cell];
  const shapes = [[sizes.vocabulary, embedding]];
  let features = embedding;
  for (let i = 0; i < layers; i++) {
    // The GRU that resets after the product has a bias for each of its two products.
    const bias = cell === 'gru' ? [2, gates * units] : [gates * units];
    for (let direction = 0; direction < (bidirectional ? 2 : 1); direction++)
      shapes.push([features, gates * units], [units, gates * units], bias);
    features = bidirectional ? 2 * units : units;
  }
  shapes.push([features, sizes.classes], [sizes.classes]);
  return shapes;
}

/** The number of all weights. */
export const countWeights = (architecture: Architecture, sizes: Sizes): number =>
  weightShapes(architecture, sizes).reduce((sum, shape) => sum + sizeOf(shape), 0);
