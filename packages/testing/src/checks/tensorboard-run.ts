/** Trains two models with `TensorBoard` below the folder that is its argument, and writes what `scripts/check-tensorboard.py` must find there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dense, Input, LSTM, Model, randomKey, randomNormal, Sequential, setSeed, TensorBoard } from 'recurra';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected a folder');
setSeed(1);
const x = randomNormal([32, 4, 3], { key: randomKey(1) });
const y = x.sum(2).sum(1, { keepDims: true });
const chain = new Sequential([new LSTM(4, { name: 'recurrent' }), new Dense(1, { name: 'head' })]);
const input = Input({ shape: [4, 3], name: 'steps' });
const last = new LSTM(4, { name: 'memory' }).apply(input);
const hidden = new Dense(4, { name: 'hidden' }).apply(last);
const graph = new Model({ inputs: input, outputs: new Dense(1, { name: 'output' }).apply(hidden) });
const expected: Record<string, unknown> = {};
for (const [name, model] of Object.entries({ chain, graph } as unknown as { chain: Sequential; graph: Sequential })) {
  model.compile({ optimizer: 'adam', loss: 'mse', metrics: ['mae'] });
  const logDir = join(folder, name);
  const batches: number[] = [];
  const tensorBoard = new TensorBoard({ logDir, histogramFreq: 2, updateFreq: 2, writeStepsPerSecond: true });
  const given = tensorBoard.onTrainBatchEnd.bind(tensorBoard);
  tensorBoard.onTrainBatchEnd = (batch, logs) => {
    batches.push(logs['loss']!);
    return given(batch, logs);
  };
  const history = await model.fit(x, y, {
    epochs: 3,
    batchSize: 8,
    validationSplit: 0.25,
    verbose: 0,
    callbacks: [tensorBoard],
  });
  expected[name] = {
    loss: history.values('loss'),
    valLoss: history.values('valLoss'),
    mae: history.values('mae'),
    batches,
    iterations: model.optimizer.iterations,
    weights: model.weights.map(({ path, value }) => ({ path, values: [...value.data] })),
    layers: model.layers.map((layer) => layer.name),
  };
}
writeFileSync(join(folder, 'expected.json'), JSON.stringify(expected));
