/** What the workloads' models are made of. */
export type WorkloadKind = 'lstm' | 'gru' | 'rnn' | 'bilstm' | 'charlm' | 'large' | 'tiny' | 'transformer' | 'conv';

/** Sizes of a workload: vocabulary, embedding, units (or filters), steps, batch, classes, heads, key width, feed-forward width, kernel size. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly V?: number;
  readonly E: number;
  readonly H?: number;
  readonly T: number;
  readonly B: number;
  readonly C?: number;
  readonly heads?: number;
  readonly kd?: number;
  readonly F?: number;
  readonly K?: number;
}

/** All peers build these models. Adam, learning rate 1e-3, epsilon 1e-7. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  W1: { kind: 'lstm', V: 10000, E: 32, H: 32, T: 100, B: 32 },
  W2: { kind: 'lstm', V: 20000, E: 128, H: 128, T: 200, B: 32 },
  W3: { kind: 'gru', V: 20000, E: 128, H: 128, T: 200, B: 32 },
  W4: { kind: 'rnn', V: 10000, E: 32, H: 32, T: 100, B: 32 },
  W5: { kind: 'bilstm', V: 10000, E: 64, H: 64, T: 100, B: 32 },
  W6: { kind: 'charlm', V: 96, E: 64, H: 256, T: 64, B: 64 },
  W7: { kind: 'large', E: 256, H: 512, T: 100, B: 64, C: 10 },
  W8: { kind: 'tiny', E: 32, H: 32, T: 20, B: 1 },
  W9: { kind: 'transformer', V: 20000, E: 128, T: 128, B: 32, heads: 4, kd: 32, F: 256 },
  W10: { kind: 'conv', V: 20000, E: 128, H: 128, K: 5, T: 200, B: 32 },
};

/** Multiplications and additions of the matrix products of one forward pass, in GFLOP; a training step takes three times as many. */
export function gigaflop(name: string): { forward: number; train: number } {
  const w = WORKLOADS[name]!;
  const { B, T, E, H = 0, V = 0, K = 1 } = w;
  const cell = (gates: number, inputs: number, units: number): number => 2 * B * T * gates * units * (inputs + units);
  const forward = {
    lstm: () => cell(4, E, H),
    gru: () => cell(3, E, H),
    rnn: () => cell(1, E, H),
    bilstm: () => 2 * cell(4, E, H) + 2 * cell(4, 2 * H, H),
    charlm: () => cell(4, E, H) + cell(4, H, H) + 2 * B * T * H * V,
    large: () => cell(4, E, H),
    tiny: () => cell(4, E, H),
    transformer: () => 2 * B * T * (4 * E * E + 2 * E * w.F!) + 4 * B * w.heads! * T * T * w.kd!,
    conv: () => 2 * B * (T - K + 1) * K * E * H,
  }[w.kind]();
  const train = 3 * forward - (w.kind === 'large' ? 2 * B * T * 4 * H * E : 0);
  return { forward: forward / 1e9, train: train / 1e9 };
}

/** `n` numbers in [0, 1) from a seed (mulberry32), the same in every peer. */
export function uniform(seed: number, n: number): Float64Array {
  const out = new Float64Array(n);
  let a = seed | 0;
  for (let i = 0; i < n; i++) {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    out[i] = ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  return out;
}

type Init = 'emb' | 'glorot' | 'glorot_o' | 'zeros' | 'ones' | 'lstm_bias';
type Weight = readonly [Init, readonly number[]];

function recurrent(gates: 1 | 3 | 4, inputs: number, units: number): Weight[] {
  const bias: Weight = gates === 3 ? ['zeros', [2, 3 * units]] : [gates === 4 ? 'lstm_bias' : 'zeros', [gates * units]];
  return [['glorot', [inputs, gates * units]], ['glorot', [units, gates * units]], bias];
}

const dense = (inputs: number, outputs: number): Weight[] => [
  ['glorot', [inputs, outputs]],
  ['zeros', [outputs]],
];

/** Initialisations and shapes of the weights, in the order of Keras. */
function weightsOf({ kind, V = 0, E, H = 0, T, C = 0, heads = 0, kd = 0, F = 0, K = 1 }: Workload): Weight[] {
  const embedding: Weight = ['emb', [V, E]];
  switch (kind) {
    case 'lstm':
      return [embedding, ...recurrent(4, E, H), ...dense(H, 1)];
    case 'gru':
      return [embedding, ...recurrent(3, E, H), ...dense(H, 1)];
    case 'rnn':
      return [embedding, ...recurrent(1, E, H), ...dense(H, 1)];
    case 'bilstm':
      return [embedding, ...[E, E, 2 * H, 2 * H].flatMap((inputs) => recurrent(4, inputs, H)), ...dense(2 * H, 1)];
    case 'charlm':
      return [embedding, ...recurrent(4, E, H), ...recurrent(4, H, H), ...dense(H, V)];
    case 'large':
      return [...recurrent(4, E, H), ...dense(H, C)];
    case 'tiny':
      return recurrent(4, E, H);
    case 'conv':
      return [embedding, ['glorot', [K, E, H]], ['zeros', [H]], ...dense(H, 1)];
    default: {
      const projection: Weight[] = [
        ['glorot', [E, heads, kd]],
        ['zeros', [heads, kd]],
      ];
      const norm: Weight[] = [
        ['ones', [E]],
        ['zeros', [E]],
      ];
      return [
        embedding,
        ['emb', [T, E]],
        ...projection,
        ...projection,
        ...projection,
        ['glorot_o', [heads, kd, E]],
        ['zeros', [E]],
        ...norm,
        ...dense(E, F),
        ...dense(F, E),
        ...norm,
        ...dense(E, 1),
      ];
    }
  }
}

/** The weights that every peer starts from. */
export function weights(name: string): { shape: readonly number[]; data: Float32Array }[] {
  const seed = 1000 * (1 + Object.keys(WORKLOADS).indexOf(name));
  return weightsOf(WORKLOADS[name]!).map(([init, shape], k) => {
    const n = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(n);
    if (init === 'ones') data.fill(1);
    else if (init === 'lstm_bias') data.fill(1, n / 4, n / 2);
    else if (init !== 'zeros') {
      const fans = init === 'glorot_o' ? shape[0]! * shape[1]! + shape[2]! : shape[0]! + n / shape[0]!;
      const limit = init === 'emb' ? 0.05 : Math.sqrt(6 / fans);
      const u = uniform(seed + k, n);
      for (let i = 0; i < n; i++) data[i] = (u[i]! * 2 - 1) * limit;
    }
    return { shape, data };
  });
}

/** The batch that every peer trains on. */
export function batch(name: string): {
  x: Int32Array | Float32Array;
  xShape: number[];
  y: Int32Array | Float32Array;
  yShape: number[];
} {
  const { kind, B, T, E, V = 0, C = 0 } = WORKLOADS[name]!;
  const seed = 777000 + 10 * Object.keys(WORKLOADS).indexOf(name);
  const floats = kind === 'large' || kind === 'tiny';
  const x = floats
    ? Float32Array.from(uniform(seed, B * T * E), (u) => u * 2 - 1)
    : Int32Array.from(uniform(seed, B * T), (u) => Math.floor(u * V));
  const xShape = floats ? [B, T, E] : [B, T];
  const targets = (n: number, classes: number): Int32Array =>
    Int32Array.from(uniform(seed + 1, n), (u) => Math.floor(u * classes));
  if (kind === 'charlm') return { x, xShape, y: targets(B * T, V), yShape: [B, T] };
  if (kind === 'large') return { x, xShape, y: targets(B, C), yShape: [B] };
  return { x, xShape, y: Float32Array.from(targets(B, 2)), yShape: [B, 1] };
}
