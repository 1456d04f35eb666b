import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeOnnx, encodeOnnx } from '@recurra/formats';
import { modelFromFile, toModelFile } from '@recurra/layers/extend';
import { type Tensor, type TensorJSON, tensorFromJSON } from '@recurra/tensor';

const FOLDER = join(__dirname, '../../golden/files/onnx');

interface Case {
  readonly name: string;
  readonly config: { readonly files: Readonly<Record<string, string>> };
  readonly inputs: Readonly<Record<string, TensorJSON>>;
  readonly outputs: Readonly<Record<string, TensorJSON>>;
}

const { cases } = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as { cases: Case[] };

/** A tensor that a graph has time (or layers and directions) first in, as models here have it. */
const batchFirst = (x: Tensor): Tensor => x.moveaxis(Math.max(1, x.rank - 2), 0);

/** Which inputs and outputs of a case have the batch on their second axis. */
const TURNED: readonly (readonly [cases: RegExp, inputs: RegExp, outputs: RegExp])[] = [
  [/batch_firstFalse/, /x/, /out0/],
  [/^states_/, /[yz]/, /out[12]/],
  [/^packed_/, /none/, /out1/],
  [/^lengths/, /x|begin/, /out/],
];

const turned = (name: string, values: Readonly<Record<string, TensorJSON>>, at: 1 | 2): Tensor[] =>
  Object.entries(values).map(([key, value]) => {
    const rule = TURNED.find(([cases]) => cases.test(name));
    const x = tensorFromJSON(value);
    return rule?.[at].test(key) ? batchFirst(x) : x;
  });

describe.each(cases.map((c) => [c.name, c] as const))('%s', (name, { config, inputs, outputs }) => {
  test.each(Object.entries(config.files))('as %s', (_way, file) => {
    const model = modelFromFile(decodeOnnx(new Uint8Array(readFileSync(join(FOLDER, file)))));
    const given = turned(name, inputs, 1);
    const found = [model.apply((given.length === 1 ? given[0] : given) as never)].flat(3) as unknown as Tensor[];
    const expected = turned(name, outputs, 2);
    expect(found.map((y) => y.shape)).toEqual(expected.map((y) => y.shape));
    found.forEach((y, i) => {
      expect(y.sub(expected[i]!).abs().max().item()).toBeLessThan(2e-6);
    });
    // What was read is written again.
    expect(() => encodeOnnx(toModelFile(model))).not.toThrow();
  });
});
