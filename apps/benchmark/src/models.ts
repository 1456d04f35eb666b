import {
  Adam,
  Add,
  type AnyLayer,
  Bidirectional,
  Conv1D,
  Dense,
  Embedding,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  GRU,
  Input,
  LayerNormalization,
  LSTM,
  Model,
  MultiHeadAttention,
  PositionEmbedding,
  Sequential,
  SimpleRNN,
  type SymbolicTensor,
  tensor,
} from 'recurra';
import { batch, WORKLOADS, type Workload, weights } from './workloads.js';

/** A model to measure: one training step on the fixed batch (resolving to the loss), and one forward pass. */
export interface Measured {
  readonly batch: number;
  readonly parameters: number;
  readonly train?: () => Promise<number>;
  readonly predict: () => Promise<unknown>;
  /** The compiled training step, explained, and the time of its kernels. */
  readonly explain?: () => string;
  readonly profile?: () => Promise<readonly { label: string; milliseconds: number }[]>;
}

function layersOf({ kind, V = 0, E, H = 0, T, C = 0, K = 1 }: Workload): (AnyLayer | SymbolicTensor)[] {
  const ids = V > 0 ? [Input({ shape: [T], dtype: 'int32' }), new Embedding(V, E)] : [];
  const floats = Input({ shape: [T, E] });
  const positive = new Dense(1, { activation: 'sigmoid' });
  const classes = (n: number): Dense => new Dense(n, { activation: 'softmax' });
  switch (kind) {
    case 'lstm':
      return [...ids, new LSTM(H), positive];
    case 'gru':
      return [...ids, new GRU(H), positive];
    case 'rnn':
      return [...ids, new SimpleRNN(H), positive];
    case 'bilstm':
      return [
        ...ids,
        new Bidirectional(new LSTM(H, { returnSequences: true })),
        new Bidirectional(new LSTM(H)),
        positive,
      ];
    case 'charlm':
      return [...ids, new LSTM(H, { returnSequences: true }), new LSTM(H, { returnSequences: true }), classes(V)];
    case 'conv':
      return [...ids, new Conv1D(H, K, { activation: 'relu' }), new GlobalMaxPooling1D(), positive];
    case 'large':
      return [floats, new LSTM(H), classes(C)];
    default:
      return [floats, new LSTM(H)];
  }
}

/** The model of a workload, with the common weights. */
export function build(name: string): Measured {
  const workload = WORKLOADS[name]!;
  const { x, xShape, y, yShape } = batch(name);
  const input = tensor(x, { shape: xShape });
  const target = tensor(y, { shape: yShape });
  const values = weights(name).map(({ shape, data }) => tensor(data, { shape }));
  const model = workload.kind === 'transformer' ? transformer(workload) : new Sequential(layersOf(workload));
  if (!model.built) model.build([null, ...xShape.slice(1)] as never);
  model.setWeights(values);
  const sparse = workload.kind === 'charlm' || workload.kind === 'large';
  model.compile({
    optimizer: new Adam({ learningRate: 1e-3, epsilon: 1e-7 }),
    loss: sparse ? 'sparseCategoricalCrossentropy' : 'binaryCrossentropy',
  });
  return {
    batch: workload.B,
    parameters: model.countParams(),
    ...(workload.kind === 'tiny' ? {} : { train: async () => (await model.trainOnBatch(input, target))['loss']! }),
    predict: async () => (await model.predictOnBatch(input)).data,
    explain: () => model.explain(input, target),
    profile: async () => (await model.profile(input, target)).times,
  };
}

/** One encoder block (post-norm) with learned positions, mean-pooled into a probability. */
function transformer({ V = 0, T, E, heads = 1, kd = 1, F = 1 }: Workload): Model {
  const ids = Input({ shape: [T], dtype: 'int32' });
  const words = new Embedding(V, E).apply(ids);
  const placed = new Add().apply([words, new PositionEmbedding(T).apply(words)]);
  const attended = new Add().apply([placed, new MultiHeadAttention(heads, kd).apply(placed)]);
  const x = new LayerNormalization().apply(attended);
  const hidden = new Dense(E).apply(new Dense(F, { activation: 'relu' }).apply(x));
  const pooled = new GlobalAveragePooling1D().apply(new LayerNormalization().apply(new Add().apply([x, hidden])));
  return new Model({ inputs: ids, outputs: new Dense(1, { activation: 'sigmoid' }).apply(pooled) });
}
