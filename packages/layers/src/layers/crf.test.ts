import { vjp } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { randomKey, randomNormal, type Tensor, tensor } from '@recurra/tensor';
import { maskOf, withValues } from '../extend.js';
import { CRF, deserializeLayer, Embedding, GRU, Input, Masking, Sequential, serializeLayer } from '../index.js';

const [TAGS, TIME] = [3, 4];
/** All steps; right, left and inner gaps; a single step; none. */
const ROWS = [
  [1, 1, 1, 1],
  [1, 1, 0, 0],
  [0, 0, 1, 1],
  [1, 0, 1, 1],
  [0, 1, 0, 0],
  [0, 0, 0, 0],
];
const N = ROWS.length;
const potentials = randomNormal([N, TIME, TAGS], { key: randomKey(1), dtype: 'float64', std: 2 });
const tags = tensor([0, 1, 2, 1, 2, 2, 0, 1, 1, 0, 2, 0, 0, 1, 1, 2, 2, 0, 1, 0, 1, 1, 1, 1], {
  shape: [N, TIME],
  dtype: 'int32',
});
const mask = tensor(ROWS).cast('bool');

function makeCRF(options: object = {}): CRF {
  const crf = new CRF(TAGS, { dtype: 'float64', useKernel: false, ...options });
  crf.build([null, TIME, TAGS]);
  crf.setWeights(crf.weights.map((w, i) => randomNormal(w.shape, { key: randomKey(i + 2), dtype: 'float64' })));
  return crf;
}

/** Every path over the steps that count, with its score: the definition, in plain numbers. */
function paths(crf: CRF, sample: number, row: readonly number[]): { path: number[]; score: number }[] {
  const at = (t: number, tag: number): number => potentials.data[(sample * TIME + t) * TAGS + tag]!;
  const [chain, left, right] = crf.weights.map((w) => w.value.data);
  const steps = row.flatMap((on, t) => (on ? [t] : []));
  let all: number[][] = [[]];
  for (const _ of steps) all = all.flatMap((p) => Array.from({ length: TAGS }, (_v, tag) => [...p, tag]));
  return all.map((path) => {
    let score = path.length > 0 ? (left?.[path[0]!] ?? 0) + (right?.[path[path.length - 1]!] ?? 0) : 0;
    path.forEach((tag, i) => {
      score += at(steps[i]!, tag);
      if (i > 0) score += chain![path[i - 1]! * TAGS + tag]!;
    });
    return { path, score };
  });
}

describe.each([
  ['with boundaries', {}],
  ['without', { useBoundary: false }],
])('against the sum over all paths, %s', (_name, options) => {
  const crf = makeCRF(options);

  test.each(['eager', 'compiled'])('the loss, %s', async (mode) => {
    const f = (x: Tensor, y: Tensor, m: Tensor): Tensor => crf.negativeLogLikelihood(y, x, { mask: m });
    const losses = mode === 'eager' ? f(potentials, tags, mask) : await jit(f)(potentials, tags, mask);
    ROWS.forEach((row, sample) => {
      const all = paths(crf, sample, row);
      const own = row.flatMap((on, t) => (on ? [tags.data[sample * TIME + t]!] : []));
      const score = all.find(({ path }) => path.join() === own.join())!.score;
      const total = Math.log(all.reduce((sum, p) => sum + Math.exp(p.score), 0));
      expect(losses.data[sample]).toBeCloseTo(total - score, 10);
    });
    expect(losses.data[N - 1]).toBe(0);
    expect([...crf.negativeLogLikelihood(tags, potentials).data].slice(0, 1)[0]).toBeCloseTo(losses.data[0]!, 12);
  });

  test.each(['eager', 'compiled'])('the tags of the highest score, %s', async (mode) => {
    const f = (x: Tensor, m: Tensor): Tensor => crf.decode(x, { mask: m });
    const found = mode === 'eager' ? f(potentials, mask) : await jit(f)(potentials, mask);
    expect([found.dtype, found.shape]).toEqual(['int32', [N, TIME]]);
    ROWS.forEach((row, sample) => {
      const best = paths(crf, sample, row).reduce((a, b) => (b.score > a.score ? b : a)).path;
      const rest = [...best];
      expect(found.at(sample).toArray()).toEqual(row.map((on) => (on ? rest.shift() : 0)));
    });
  });

  test.each(['eager', 'compiled'])('gradients against finite differences, %s', async (mode) => {
    const start = [potentials, ...crf.weights.map((w) => w.value)];
    const dy = randomNormal([N], { key: randomKey(9), dtype: 'float64' });
    const loss = (values: readonly Tensor[]): Tensor =>
      withValues(crf.weights, values.slice(1), () => crf.negativeLogLikelihood(tags, values[0]!, { mask }));
    const f = (values: Tensor[]) => vjp((v: Tensor[]) => loss(v), values).pullback(dy)[0];
    const gradients = mode === 'eager' ? f(start) : await jit(f)(start);
    start.forEach((value, k) => {
      value.data.forEach((_: number, i: number) => {
        const at = (delta: number): number => {
          const data = Float64Array.from(value.data);
          data[i] = data[i]! + delta;
          const moved = tensor(data, { shape: value.shape });
          return loss(start.map((v, j) => (j === k ? moved : v)))
            .mul(dy)
            .sum()
            .item();
        };
        expect(gradients[k]!.data[i]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 6);
      });
    });
  });
});

test('without transitions it is a softmax at each step', () => {
  const crf = new CRF(TAGS, { useKernel: false, chainInitializer: 'zeros', dtype: 'float64' });
  const y = crf.apply(potentials);
  expect(y.toArray()).toEqual(potentials.toArray());
  const row = (t: number): number => {
    const x = Array.from({ length: TAGS }, (_, k) => potentials.data[t * TAGS + k]!);
    return Math.log(x.reduce((s, v) => s + Math.exp(v), 0)) - x[tags.data[t]!]!;
  };
  expect(crf.negativeLogLikelihood(tags, potentials).data[0]).toBeCloseTo(row(0) + row(1) + row(2) + row(3), 10);
  expect(crf.decode(potentials).toArray()).toEqual(potentials.argmax(-1).toArray());
});

test('large potentials stay numbers', () => {
  const crf = makeCRF();
  const losses = crf.negativeLogLikelihood(tags, potentials.mul(1e4), { mask });
  expect([...losses.data].every((v) => Number.isFinite(v) && v >= 0)).toBe(true);
});

test('a tagger learns, with masks, compiled as eagerly; its metric counts decoded tags', async () => {
  // The tag of a word is the word before it (1 and 2; 0 at the start).
  const x = tensor(
    [
      [1, 2, 2, 1],
      [2, 1, 1, 0],
      [2, 2, 0, 0],
      [1, 1, 2, 0],
    ],
    { dtype: 'int32' },
  );
  const y = tensor(
    [
      [0, 1, 2, 2],
      [0, 2, 1, -1],
      [0, 2, -1, -1],
      [0, 1, 1, -1],
    ],
    { dtype: 'int32' },
  );
  const histories: (readonly number[])[] = [];
  for (const runEagerly of [false, true]) {
    const crf = new CRF(3);
    const model = new Sequential([
      Input({ shape: [null], dtype: 'int32' }),
      new Embedding(3, 4, { maskZero: true }),
      new GRU(6, { returnSequences: true }),
      crf,
    ]);
    model.setWeights(model.weights.map((w, i) => randomNormal(w.shape, { key: randomKey(i), std: 0.5 })));
    model.compile({ optimizer: 'adam', loss: crf.loss, metrics: [crf.accuracy], runEagerly });
    model.optimizer!.learningRate = 0.05;
    const history = await model.fit(x, y, { epochs: runEagerly ? 3 : 60, batchSize: 2, verbose: 0, shuffle: false });
    histories.push(history.values('loss'));
    if (runEagerly) continue;
    expect(history.last('accuracy')).toBe(1);
    const valid = x.notEqual(0);
    const potentialsOf = await model.predict(x);
    expect(potentialsOf.shape).toEqual([4, 4, 3]);
    expect(crf.decode(potentialsOf, { mask: valid }).toArray()).toEqual(y.maximum(0).toArray());
    const [loss] = [(await model.evaluate(x, y, { batchSize: 4 }))['loss']!];
    const each = crf.negativeLogLikelihood(y, potentialsOf, { mask: valid });
    expect(loss).toBeCloseTo(each.mean().item(), 5);
    const weighted = await model.evaluate(x, y, { batchSize: 4, sampleWeight: tensor([1, 0, 2, 0]) });
    expect(weighted['loss']).toBeCloseTo((each.data[0]! + 2 * each.data[2]!) / 4, 5);
  }
  histories[1]!.forEach((loss, i) => {
    expect(loss).toBeCloseTo(histories[0]![i]!, 4);
  });
});

test('configuration, names of weights, masks', () => {
  const crf = new CRF(3, { chainInitializer: 'glorotUniform', kernelRegularizer: 'l2', useBias: false });
  const y = new Sequential([new Masking(), crf]).apply(potentials.cast('float32'));
  expect(maskOf(y)!.shape).toEqual([N, TIME]);
  expect(crf.weights.map((w) => w.path.split('/').pop())).toEqual([
    'kernel',
    'chain_kernel',
    'left_boundary',
    'right_boundary',
  ]);
  const data = JSON.parse(JSON.stringify(serializeLayer(crf)));
  expect(serializeLayer(deserializeLayer(data))).toEqual(data);
  expect(crf.computeOutputShape([null, null, 3])).toEqual([null, null, 3]);
});

test('what it cannot take is refused', () => {
  const crf = makeCRF();
  expect(() => new CRF(0)).toThrow(/tags to be an integer >= 1/);
  expect(() => new CRF(3).decode(potentials)).toThrow(/a built layer/);
  expect(() => new CRF(3).apply(potentials.at(0))).toThrow(/returnSequences/);
  expect(() => crf.apply(potentials.narrow(2, 0, 2))).toThrow(/expected 3 features, .*useKernel: false/);
  expect(() => crf.decode(potentials, { mask: mask.transpose() })).toThrow(/expected a mask \[6, 4\]/);
  expect(() => crf.decode(potentials, { masks: mask } as never)).toThrow(/mask/);
  expect(() => crf.negativeLogLikelihood(tags.add(1), potentials)).toThrow(/tags in 0..2 .* received 3/);
  expect(() => crf.negativeLogLikelihood(tags.narrow(1, 0, 2), potentials)).toThrow(/expected class indices/);
  expect(() => crf.loss.apply(tags, potentials, { sampleWeight: mask.cast('float64') })).toThrow(/weights/);
  expect(() => crf.loss.getConfig()).toThrow(/that of a CRF layer/);
});
