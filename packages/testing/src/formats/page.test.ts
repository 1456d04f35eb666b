import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formats } from '@recurra/formats';
import { type FormatsMatrix, formatsPage } from './page.js';

const matrix = JSON.parse(readFileSync(join(__dirname, '../../formats/matrix.json'), 'utf8')) as FormatsMatrix;

test('the matrix has every format, and figures that are small wherever there are any', () => {
  for (const { here } of matrix.rows) expect(Object.keys(here)).toEqual(formats().map(({ name }) => name));
  expect(matrix.rows.length).toBeGreaterThanOrEqual(8);
  const cells = matrix.rows.flatMap(({ here, elsewhere }) => [...Object.values(here), ...Object.values(elsewhere)]);
  for (const { apart, why } of cells) {
    expect(apart === undefined).toBe(why !== undefined);
    if (apart !== undefined) expect(apart).toBeLessThan(1e-5);
  }
  // What holds a model as it is loses nothing.
  for (const { here } of matrix.rows)
    expect(['keras', 'h5', 'weights.h5', 'safetensors'].map((name) => here[name]!.apart)).toEqual([0, 0, 0, 0]);
  for (const { apart } of matrix.pytorch) expect(apart).toBeLessThan(1e-6);
});

test('the page shows what was measured, in both languages', () => {
  const small: FormatsMatrix = {
    versions: { Keras: '3' },
    rows: [
      {
        model: 'a',
        here: { keras: { apart: 0 }, onnx: { why: 'no {operators} | none' } },
        elsewhere: { Keras: { apart: 1.26e-7 } },
      },
    ],
    pytorch: [{ module: 'lstm', apart: 3e-8 }],
  };
  const page = formatsPage(small);
  expect(page).toContain('| model | keras | onnx |\n| --- | ---: | ---: |\n| a | 0 | – |');
  expect(page).toContain('| a | 1.3e-7 |');
  expect(page).toContain('- a, onnx: no &#123;operators&#125; \\| none');
  expect(page).toContain('| `lstm` | 3.0e-8 |');
  expect(formatsPage(small, 'zh')).toContain('# 格式：往返对照');
});
