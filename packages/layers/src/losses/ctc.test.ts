import { vjp } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { logSoftmax, type Tensor, tensor } from '@recurra/tensor';
import { CTC, ctc } from './index.js';

const CLASSES = 4;
const STEPS = 6;
const logits = tensor(
  [
    [
      1.76, 0.4, 0.98, 2.24, 1.87, -0.98, 0.95, -0.15, -0.1, 0.41, 0.14, 1.45, 0.76, 0.12, 0.44, 0.33, 1.49, -0.21,
      0.31, -0.85, -2.55, 0.65, 0.86, -0.74,
    ],
    [
      2.27, -1.45, 0.05, -0.19, 1.53, 1.47, 0.15, 0.38, -0.89, -1.98, -0.35, 0.16, 1.23, 1.2, -0.39, -0.3, -1.05, -1.42,
      -1.71, 1.95, -0.51, -0.44, -1.25, 0.78,
    ],
    [
      -1.61, -0.21, -0.9, 0.39, -0.51, -1.18, -0.03, 0.43, 0.07, 0.3, -0.63, -0.36, -0.67, -0.36, -0.81, -1.73, 0.18,
      -0.4, -1.63, 0.46, -0.91, 0.05, 0.73, 0.13,
    ],
  ],
  { dtype: 'float64' },
).reshape([3, STEPS, CLASSES]);
const labels = [
  [1, 1, 2],
  [3, 0, 0],
  [2, 3, 0],
];

/** Minus the log of the sum over all paths of a class a step, without a dynamic program. */
function allPaths(scores: number[][], spelled: number[]): number {
  let total = 0;
  for (let path = 0; path < CLASSES ** scores.length; path++) {
    const said: number[] = [];
    let before = -1;
    let log = 0;
    for (let t = 0, rest = path; t < scores.length; t++, rest = Math.floor(rest / CLASSES)) {
      const label = rest % CLASSES;
      log += scores[t]![label]!;
      if (label !== before && label !== 0) said.push(label);
      before = label;
    }
    if (said.join() === spelled.join()) total += Math.exp(log);
  }
  return -Math.log(total);
}

const logs = logSoftmax(logits, -1).toArray() as number[][][];
const spelled = labels.map((row) => row.filter((label) => label > 0));

test('is the sum over all paths (and what Keras gives), with repeated labels, in float64', () => {
  const found = ctc(labels, logits).toArray() as number[];
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(allPaths(logs[i]!, spelled[i]!), 12);
  });
  [5.561893939971924, 3.3935625553131104, 5.417468070983887].forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 5);
  });
});

test('no labels: all steps are blank', () => {
  expect(ctc([[0, 0]], logits.narrow(0, 0, 1)).item()).toBeCloseTo(
    -logs[0]!.reduce((sum, row) => sum + row[0]!, 0),
    12,
  );
});

test('just enough steps leave one path', () => {
  const four = logits.narrow(0, 0, 1).narrow(1, 0, 4);
  const path = [1, 0, 1, 2];
  expect(ctc([[1, 1, 2]], four).item()).toBeCloseTo(-path.reduce((sum, label, t) => sum + logs[0]![t]![label]!, 0), 12);
});

test('masked steps are left out, wherever they are', async () => {
  const mask = tensor([
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0, 0],
    [1, 0, 1, 1, 0, 1],
  ]).cast('bool');
  const kept = (i: number): number[][] => logs[i]!.filter((_, t) => mask.data[STEPS * i + t] === 1);
  const expected = spelled.map((label, i) => allPaths(kept(i), label));
  const loss = new CTC({ reduction: 'none' });
  (loss.apply(labels, logits, { mask }).toArray() as number[]).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 12);
  });
  const step = jit((y: Tensor, p: Tensor, m: Tensor) => loss.apply(y, p, { mask: m, sampleWeight: [1, 2, 3] }));
  const found = (await step(tensor(labels), logits.cast('float32'), mask)).toArray() as number[];
  found.forEach((value, i) => {
    expect(value).toBeCloseTo((i + 1) * expected[i]!, 4);
  });
  step.dispose();
});

test('steps that a mask leaves too few of: Infinity, and a gradient of 0', () => {
  const mask = tensor([[1, 1, 0, 0, 0, 0]]).cast('bool');
  const { value, pullback } = vjp((p: Tensor) => ctc([[1, 1, 2]], p, mask), logits.narrow(0, 0, 1));
  expect(value.toArray()).toEqual([Number.POSITIVE_INFINITY]);
  expect([...pullback(tensor([1]).cast('float64'))[0].data].every((g) => g === 0)).toBe(true);
});

test('a logit of -Infinity forbids a class', () => {
  const forbidden = logits.narrow(0, 1, 1).add(tensor([0, 0, -Infinity, 0], { dtype: 'float64' }));
  const rows = logSoftmax(forbidden, -1).toArray() as number[][][];
  const { value, pullback } = vjp((p: Tensor) => ctc([[3]], p), forbidden);
  expect(value.item()).toBeCloseTo(allPaths(rows[0]!, [3]), 12);
  expect([...pullback(tensor([1]).cast('float64'))[0].data].every(Number.isFinite)).toBe(true);
});

test('labels that are none, padding between labels, and too few steps are refused', async () => {
  const one = logits.narrow(0, 0, 1);
  expect(() => ctc([[4]], one)).toThrow(/labels 1..3 and 0 as padding, received 4 in sample 0/);
  expect(() => ctc([[-1]], one)).toThrow(/received -1/);
  expect(() => ctc([[1.5]], one)).toThrow(/received 1.5/);
  expect(() => ctc([[1, 0, 2]], one)).toThrow(/expected padding \(0\) after the labels/);
  expect(() => ctc([[1, 1, 2, 2, 3]], one)).toThrow(/at least 7 steps for the 5 labels of sample 0.*received 6/);
  expect(() => ctc([1, 2], one)).toThrow(/expected labels \[n, labels\] and scores \[n, time, classes\]/);
  expect(() => ctc([[1], [2]], one)).toThrow(/received \[2, 1\] and \[1, 6, 4\]/);
  const step = jit((y: Tensor, p: Tensor) => new CTC().apply(y, p));
  await expect(step(tensor([[1, 1, 2, 2, 3]]), one.cast('float32'))).rejects.toThrow(/at least 7 steps/);
  step.dispose();
});
