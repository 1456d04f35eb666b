/** The program that `interrupted-cli` kills: trains with backups in the folder that is its argument, and ends with a line of its weights and losses. */
import { createHash } from 'node:crypto';
import {
  Adam,
  BackupAndRestore,
  Dense,
  Dropout,
  LambdaCallback,
  LSTM,
  randomKey,
  randomNormal,
  Sequential,
  setSeed,
} from 'recurra';

const [folder] = process.argv.slice(2);
const x = randomNormal([96, 8, 4], { key: randomKey(1) });
const y = x.sum(2).sum(1, { keepDims: true });

setSeed(7);
const model = new Sequential([new LSTM(16), new Dropout(0.3), new Dense(1)]);
model.compile({ optimizer: new Adam({ learningRate: 0.01 }), loss: 'mse', metrics: ['mae'] });
const history = await model.fit(x, y, {
  epochs: 40,
  batchSize: 8,
  validationSplit: 0.25,
  verbose: 0,
  callbacks: [
    new LambdaCallback({
      onEpochBegin: (epoch) => {
        process.stdout.write(`epoch ${epoch}\n`);
      },
    }),
    ...(folder === undefined ? [] : [new BackupAndRestore(folder, { saveFreq: 5 })]),
  ],
});
const hash = createHash('sha256');
for (const weight of model.getWeights()) hash.update(new Uint8Array((weight.data as Float32Array).buffer));
process.stdout.write(
  `${JSON.stringify({ weights: hash.digest('hex'), losses: history.values('loss'), valLosses: history.values('valLoss') })}\n`,
);
