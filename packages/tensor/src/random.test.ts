import { nextKey } from './extend.js';
import {
  bernoulli,
  categorical,
  permutation,
  randomBits,
  randomInteger,
  randomKey,
  randomNormal,
  randomUniform,
  setSeed,
  splitKey,
  tensor,
  truncatedNormal,
} from './index.js';

const N = 20_000;
const key = randomKey(7);
const mean = (x: ArrayLike<number>): number => Array.from(x).reduce((a, b) => a + b, 0) / x.length;

test('a stream starts with the published vector of its key', () => {
  const zero = tensor(Int32Array.of(0, 0));
  expect([...randomBits([4], { key: zero }).data].map((v) => v >>> 0)).toEqual([
    0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,
  ]);
});

test('uniform: bounds, mean and variance', () => {
  const x = randomUniform([N], { key, low: -1, high: 3 }).data;
  expect(Math.min(...x)).toBeGreaterThanOrEqual(-1);
  expect(Math.max(...x)).toBeLessThan(3);
  expect(Math.abs(mean(x) - 1)).toBeLessThan((4 * (4 / Math.sqrt(12))) / Math.sqrt(N));
});

test('normal and truncated normal: moments and bounds', () => {
  const x = randomNormal([N], { key, mean: 2, std: 3 }).data;
  expect(Math.abs(mean(x) - 2)).toBeLessThan(12 / Math.sqrt(N));
  expect(Math.sqrt(mean(x.map((v) => (v - 2) ** 2)))).toBeCloseTo(3, 1);
  const t = truncatedNormal([N], { key }).data;
  expect(Math.max(...t.map(Math.abs))).toBeLessThanOrEqual(2);
  expect(Math.sqrt(mean(t.map((v) => v * v)))).toBeCloseTo(0.8796, 1);
});

test('bernoulli, integers and categorical follow their probabilities', () => {
  expect(mean(bernoulli(0.3, [N], { key }).data)).toBeCloseTo(0.3, 1);
  const dice = randomInteger([N], 1, 7, { key }).data;
  expect(new Set(dice)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  const logits = tensor([Math.log(0.2), Math.log(0.7), Math.log(0.1)]).broadcastTo([N, 3]);
  const classes = categorical(logits, { key }).data;
  expect(classes.filter((c) => c === 1).length / N).toBeCloseTo(0.7, 1);
  expect(classes.filter((c) => c === 2).length / N).toBeCloseTo(0.1, 1);
});

test('permutation holds every index once', () => {
  expect([...permutation(50, { key }).data].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test('same key, same numbers; split keys and the seeded global give others', () => {
  expect(randomUniform([5], { key }).toArray()).toEqual(randomUniform([5], { key }).toArray());
  const [a, b] = splitKey(key);
  expect(randomUniform([5], { key: a! }).toArray()).not.toEqual(randomUniform([5], { key: b! }).toArray());
  setSeed(3);
  const first = [nextKey().toArray(), randomUniform([3]).toArray()];
  setSeed(3);
  expect([nextKey().toArray(), randomUniform([3]).toArray()]).toEqual(first);
});

test('bad seeds and keys are refused', () => {
  expect(() => randomKey(-1)).toThrow(/expected an integer seed/);
  expect(() => randomUniform([2], { key: tensor([1, 2]) })).toThrow(/expected a key/);
});
