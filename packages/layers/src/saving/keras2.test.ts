/** Models that Keras 2.15 saved as `.h5` (`models.py` beside them): they compute here what they computed there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor } from '@recurra/tensor';
import { LSTM, loadModel } from '../index.js';

const FOLDER = join(__dirname, '../../../testing/golden/files/keras2');

interface Golden {
  readonly inputs: readonly { readonly shape: number[]; readonly dtype: 'float32'; readonly values: number[] }[];
  readonly outputs: readonly { readonly shape: number[]; readonly values: number[] }[];
  readonly targets: readonly (number[] | number[][])[] | null;
  readonly evaluated: Readonly<Record<string, number>> | null;
}
const golden = (name: string): Golden => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FOLDER, `${name}.h5`)));
const one = <T>(list: readonly T[]): T | readonly T[] => (list.length === 1 ? list[0]! : list);

test.each(['text', 'graph', 'stack', 'attention', 'layers'])(
  '%s.h5 of Keras 2 predicts what Keras 2 predicted',
  async (name) => {
    const { inputs, outputs } = golden(name);
    const model = await loadModel(bytes(name));
    const x = inputs.map(({ shape, dtype, values }) => tensor(values, { dtype, shape }));
    const y = await model.predict(one(x) as never);
    const all = (Array.isArray(y) ? y : [y]) as { shape: number[]; data: Float32Array }[];
    expect(all.map(({ shape }) => [...shape])).toEqual(outputs.map(({ shape }) => shape));
    outputs.forEach(({ values }, o) => {
      // float32 has 24 bits: a sum of terms as large as the largest value is that much less exact.
      const bound = 2e-6 * Math.max(1, ...values.map(Math.abs));
      for (const [i, v] of values.entries()) expect(Math.abs(all[o]!.data[i]! - v)).toBeLessThan(bound);
    });
  },
);

test.each(['text', 'graph', 'stack'])('%s.h5 of Keras 2 is compiled as it was', async (name) => {
  const { inputs, targets, evaluated } = golden(name);
  const model = await loadModel(bytes(name));
  const x = inputs.map(({ shape, dtype, values }) => tensor(values, { dtype, shape }));
  const y = targets!.map((t) => tensor(t as number[]));
  const logs = await model.evaluate(one(x) as never, one(y) as never, { verbose: 0 } as never);
  expect((logs as Record<string, number>)['loss']).toBeCloseTo(evaluated!['loss']!, 5);
});

test('optimizers of Keras 2 keep their options', async () => {
  const text = await loadModel(bytes('text'));
  expect(text.optimizer.serialize()).toMatchObject({ className: 'Adam', config: { beta1: 0.8 } });
  // A decay of Keras 2 is a schedule.
  const graph = await loadModel(bytes('graph'));
  expect(graph.optimizer.serialize()).toMatchObject({
    className: 'RMSprop',
    config: {
      learningRate: {
        className: 'InverseTimeDecay',
        config: { initialLearningRate: 0.01, decaySteps: 1, decayRate: 0.1 },
      },
    },
  });
});

test("Keras 2's hard_sigmoid, masks and GRU before reset are what they were there", async () => {
  const model = await loadModel(bytes('text'));
  const lstm = model.layers.find((layer) => layer instanceof LSTM)!;
  expect((lstm as LSTM).getConfig()['recurrentActivation']).toBe('keras2HardSigmoid');
  const { forwardLayer } = model.layers.find(
    ({ className }: { className: string }) => className === 'Bidirectional',
  ) as never as {
    forwardLayer: { getConfig(): Record<string, unknown> };
  };
  expect(forwardLayer.getConfig()['resetAfter']).toBe(false);
});
