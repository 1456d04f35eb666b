import { randomKey, randomNormal } from '@recurra/tensor';
import { orthonormalize } from './orthonormal.js';

/** Modified Gram-Schmidt, twice, row by row: the definition. */
function rowByRow(v: Float64Array, count: number, length: number): void {
  for (let i = 0; i < count; i++) {
    const x = v.subarray(i * length, (i + 1) * length);
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < i; j++) {
        const u = v.subarray(j * length, (j + 1) * length);
        const dot = x.reduce((sum, value, k) => sum + value * u[k]!, 0);
        x.forEach((_, k) => {
          x[k]! -= dot * u[k]!;
        });
      }
    const norm = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
    x.forEach((_, k) => {
      x[k]! /= norm;
    });
  }
}

test.each([
  [1, 1],
  [1, 5],
  [31, 40],
  [32, 32],
  [33, 33],
  [70, 71],
  [65, 1100],
  [103, 103],
])('rows of [%d, %d] are orthonormal, and those of Gram-Schmidt row by row', (count, length) => {
  const given = Float64Array.from(randomNormal([count, length], { key: randomKey(count), dtype: 'float64' }).data);
  const [rows, expected] = [given.slice(), given.slice()];
  orthonormalize(rows, count, length);
  rowByRow(expected, count, length);
  let worst = 0;
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += rows[i * length + k]! * rows[j * length + k]!;
      worst = Math.max(worst, Math.abs(dot - (i === j ? 1 : 0)));
    }
  expect(worst).toBeLessThan(1e-12);
  expect(rows.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)).toBeLessThan(1e-9);
});

test('rows that are nearly alike are orthonormal, too', () => {
  const [count, length] = [70, 90];
  const noise = randomNormal([count, length], { key: randomKey(1), dtype: 'float64' }).data;
  const rows = Float64Array.from(noise, (value, i) => 1 + (i % length) + 1e-6 * value);
  orthonormalize(rows, count, length);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < i; j++) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += rows[i * length + k]! * rows[j * length + k]!;
      expect(Math.abs(dot)).toBeLessThan(1e-10);
    }
});
