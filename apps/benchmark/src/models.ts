import {
  Adam,
  type AnyLayer,
  Bidirectional,
  binaryCrossentropy,
  Dense,
  dotProductAttention,
  Embedding,
  GRU,
  Input,
  jit,
  LSTM,
  layerNormalization,
  Sequential,
  SimpleRNN,
  type SymbolicTensor,
  type Tensor,
  tensor,
  treeLeaves,
  treeUnflatten,
  Variable,
  valueAndGrad,
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

function layersOf({ kind, V = 0, E, H = 0, T, C = 0 }: Workload): (AnyLayer | SymbolicTensor)[] {
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
  if (workload.kind === 'transformer') return transformer(workload, input, target, values);
  const model = new Sequential(layersOf(workload));
  model.build([null, ...xShape.slice(1)]);
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

/** One encoder block (post-norm) with learned positions, mean-pooled into a logit: tensors and `jit` alone. */
function transformer(w: Workload, input: Tensor, target: Tensor, values: readonly Tensor[]): Measured {
  const { B, T, E, heads = 1, kd = 1, F = 1 } = w;
  const variables = values.map((value, i) => new Variable(value, `weight ${i}`));
  const optimizer = new Adam({ learningRate: 1e-3, epsilon: 1e-7 });
  const structure = optimizer.init([...values]);
  const state = treeLeaves(structure).map((value, i) => new Variable(value, `state ${i}`));
  const linear = (x: Tensor, k: Tensor, b: Tensor, outputs: number): Tensor =>
    x.matmul(k.reshape([-1, outputs])).add(b.reshape([outputs]));
  const logits = (v: readonly Tensor[], ids: Tensor): Tensor => {
    const [emb, pos, qk, qb, kk, kb, vk, vb, ok, ob, g1, b1, f1, fb1, f2, fb2, g2, b2, dk, db] = v as Tensor[];
    let x = emb!
      .gather(ids)
      .add(pos!)
      .reshape([B * T, E]);
    const split = (t: Tensor): Tensor => t.reshape([B, T, heads, kd]);
    const q = split(linear(x, qk!, qb!, heads * kd));
    const k = split(linear(x, kk!, kb!, heads * kd));
    const u = split(linear(x, vk!, vb!, heads * kd));
    const mixed = dotProductAttention(q, k, u).reshape([B * T, heads * kd]);
    x = layerNormalization(x.add(mixed.matmul(ok!.reshape([heads * kd, E])).add(ob!)), g1!, b1!);
    x = layerNormalization(x.add(linear(linear(x, f1!, fb1!, F).relu(), f2!, fb2!, E)), g2!, b2!);
    return linear(x.reshape([B, T, E]).mean(1), dk!, db!, 1);
  };
  const step = jit(
    (ids: Tensor, y: Tensor) => {
      const parameters = variables.map((v) => v.value);
      const { value, gradient } = valueAndGrad((v: Tensor[]) =>
        binaryCrossentropy(y, logits(v, ids), { fromLogits: true }).mean(),
      )(parameters);
      const next = optimizer.update(
        gradient,
        treeUnflatten(
          structure,
          state.map((s) => s.value),
        ),
        parameters,
      );
      next.parameters.forEach((p, i) => {
        variables[i]!.assign(p);
      });
      treeLeaves(next.state).forEach((s, i) => {
        state[i]!.assign(s);
      });
      return value;
    },
    { name: 'transformer.train' },
  );
  const forward = jit(
    (ids: Tensor) =>
      logits(
        variables.map((v) => v.value),
        ids,
      ).sigmoid(),
    { name: 'transformer.predict' },
  );
  return {
    batch: B,
    parameters: values.reduce((sum, v) => sum + v.size, 0),
    train: async () => (await step(input, target)).item(),
    predict: async () => (await forward(input)).data,
    explain: () => step.explain(input, target),
    profile: async () => (await step.profile(input, target)).times,
  };
}
