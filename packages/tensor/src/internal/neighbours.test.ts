import { nextAfter, roundedDown, roundedUp } from './neighbours.js';

test.each([
  [1, 1 + 2 ** -23, 1 + 2 ** -52],
  [-1, -1 + 2 ** -24, -1 + 2 ** -53],
  [0, 2 ** -149, 2 ** -1074],
  [-0, 2 ** -149, 2 ** -1074],
  [-(2 ** -149), -0, -(2 ** -149) + 2 ** -202],
  [3.4028234663852886e38, Infinity, 3.4028234663852886e38 + 2 ** 75],
])('after %s follows %s in float32, %s in float64, and before its like below zero', (x, single, double) => {
  expect(nextAfter(x, 1, 'float32')).toBe(single);
  expect(nextAfter(x, 1, 'float64')).toBe(double);
  expect(nextAfter(-x, -1, 'float32')).toBe(-single);
  expect(nextAfter(-x, -1, 'float64')).toBe(-double);
});

test('rounded to the number above or below, not the nearest', () => {
  // 0.1 lies below its nearest float32, 0.7 above.
  expect(Math.fround(0.1)).toBeGreaterThan(0.1);
  expect(roundedUp(0.1, 'float32')).toBe(0.10000000149011612);
  expect(roundedDown(0.1, 'float32')).toBe(0.10000000149011612 - 2 ** -27);
  expect(roundedDown(0.7, 'float32')).toBe(0.699999988079071);
  expect(roundedUp(0.7, 'float32')).toBe(0.699999988079071 + 2 ** -24);
  expect(roundedUp(0.5, 'float32')).toBe(0.5);
  expect(roundedDown(0.7, 'float64')).toBe(0.7);
  expect(roundedUp(1e-60, 'float32')).toBe(2 ** -149);
});
