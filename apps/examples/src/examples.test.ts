import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Model, SGD, setSeed, type Tensor, tensor } from 'recurra';
import * as customCell from './custom-cell.js';
import * as encoderDecoder from './encoder-decoder.js';
import * as siamese from './siamese.js';
import * as tagger from './tagger.js';

interface Built {
  // biome-ignore lint/suspicious/noExplicitAny: models of any inputs
  readonly model: Model<any, any>;
  readonly x: unknown;
  readonly y: Tensor;
  readonly loss: unknown;
}
interface Program {
  build(data: never): Built;
  run(data: never, print: (line: string) => void): Promise<number>;
}

/** Each program, and what it has to reach when it trains: a share of right answers, or an error. */
const PROGRAMS: [string, Program, (result: number) => void][] = [
  ['tagger', tagger, (accuracy) => expect(accuracy).toBeGreaterThan(0.95)],
  ['encoder-decoder', encoderDecoder, (accuracy) => expect(accuracy).toBeGreaterThan(0.8)],
  ['siamese', siamese, (accuracy) => expect(accuracy).toBeGreaterThan(0.85)],
  ['custom-cell', customCell, (error) => expect(error).toBeLessThan(0.05)],
];

const read = (folder: string, name: string) =>
  JSON.parse(readFileSync(join(__dirname, '..', folder, `${name}.json`), 'utf8'));

describe.each(PROGRAMS)('%s', (name, program, expectResult) => {
  test.each([false, true])(
    'loses as in Keras for five steps from equal weights, runEagerly: %s',
    async (runEagerly) => {
      const golden = read('golden', name);
      const { model, x, y, loss } = program.build(read('data', name) as never);
      expect(model.weights.map((w) => w.shape)).toEqual(golden.weights.map((w: { shape: number[] }) => w.shape));
      model.setWeights(
        golden.weights.map(({ shape, data }: { shape: number[]; data: number[] }) => tensor(data, { shape })),
      );
      model.compile({ optimizer: new SGD({ learningRate: 0.1 }), loss: loss as 'mse', runEagerly });
      const history = await model.fit(x, y, { epochs: 5, batchSize: 1000, shuffle: false, verbose: 0 });
      const losses = history.values('loss');
      expect(losses.length).toBe(5);
      losses.forEach((value, i) => {
        expect(Math.abs(value / golden.losses[i] - 1)).toBeLessThan(1e-5);
      });
    },
  );

  test('learns what it is for', async () => {
    setSeed(1);
    const lines: string[] = [];
    expectResult(await program.run(read('data', name) as never, (line) => lines.push(line)));
    expect(lines.length).toBe(3);
  });
});
