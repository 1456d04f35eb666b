import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as r from '../index.js';
import { run } from './run.js';

/** The command as a shell runs it. Needs the build. */
const BIN = join(__dirname, '../../dist/cli/recurra.js');
class Mine extends r.Layer {
  call(x: r.Tensor): r.Tensor {
    return x;
  }
}

let folder: string;
const at = (name: string): string => join(folder, name);
const data = r.ones([4, 7], 'int32');
let expected: ArrayLike<number>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'recurra-cli-'));
  const model = new r.Sequential(
    [
      r.Input({ shape: [7], dtype: 'int32' }),
      new r.Embedding(11, 5, { maskZero: true, name: 'words' }),
      new r.Bidirectional(new r.LSTM(6, { name: 'lstm' }), { name: 'both' }),
      new r.Dense(1, { activation: 'sigmoid', name: 'answer' }),
    ],
    { name: 'text' },
  );
  model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
  await model.fit(data, r.ones([4, 1]), { verbose: 0 });
  expected = (await model.predict(data)).data;
  const tokenizer = new r.Tokenizer();
  tokenizer.fitOnTexts(['the cat']);
  await model.save(at('m.keras'), { assets: { tokenizer, blob: Uint8Array.of(1) } });
  await model.save(at('m.h5'));
  await model.save(at('m.onnx'));
  await model.saveWeights(at('m.weights.h5'));
  await model.saveWeights(at('m.safetensors'));
  await r.saveCheckpoint(model as never, at('m.ckpt'));
  await r.saveCheckpoint(model as never, at('w.ckpt'), { weightsOnly: true });
  const own = new r.Sequential([r.Input({ shape: [2] }), new Mine({ name: 'mine\u001b[31m' }), new r.Dense(1)], {
    name: 'own',
  });
  own.compile({ loss: 'mse' });
  await own.save(at('own.keras'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function recurra(...args: string[]): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await run(
    args,
    { out: (text) => void out.push(text), error: (text) => void err.push(text) },
    async () => '1',
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('inspect tells what a model file holds', async () => {
  const { code, out, err } = await recurra('inspect', at('m.keras'));
  expect([code, err]).toEqual([0, '']);
  expect(out.replace(/, [\d.]+ kB/, '').replace(/\d+ B/g, 'N B')).toBe(
    [
      `${at('m.keras')}: Keras 3`,
      'Model: Sequential "text", 4 layers',
      '  layer        class          output        parameters  weights',
      '  input_layer  InputLayer     (None, 7)     0',
      '  words        Embedding      (None, 7, 5)  55          embeddings [11, 5]',
      '  both         Bidirectional  (None, 12)    576         backward_lstm/lstm_cell/kernel [5, 24], backward_lstm/lstm_cell/recurrent_kernel [6, 24], backward_lstm/lstm_cell/bias [24], forward_lstm/lstm_cell/kernel [5, 24], forward_lstm/lstm_cell/recurrent_kernel [6, 24], forward_lstm/lstm_cell/bias [24]',
      '  answer       Dense          (None, 1)     13          kernel [12, 1], bias [1]',
      'Weights: 9 tensors, 644 parameters',
      'Compiled: optimizer Adam; loss binary_crossentropy; metrics accuracy',
      "Optimizer's state: adam, 20 variables, 1,290 numbers",
      'Assets: tokenizer (Tokenizer, N B), blob (bytes, N B)',
    ].join('\n'),
  );
});

test.each<[string, object]>([
  ['m.keras', { format: 'keras', model: { class: 'Sequential', name: 'text' }, optimizer: { variables: 20 } }],
  [
    'm.h5',
    {
      format: 'h5',
      model: { class: 'Sequential' },
      optimizer: { variables: 20 },
      compile: { loss: 'binary_crossentropy' },
    },
  ],
  ['m.onnx', { format: 'onnx', model: { class: 'Sequential' }, optimizer: null, compile: null }],
  ['m.weights.h5', { format: 'weights.h5', model: null, optimizer: { name: 'adam', variables: 20 } }],
  ['m.safetensors', { format: 'safetensors', model: null, optimizer: null }],
  ['m.ckpt', { format: 'checkpoint', model: { class: 'Sequential' }, optimizer: { variables: 20, parameters: 1290 } }],
  ['w.ckpt', { format: 'checkpoint', model: null, optimizer: { variables: 20 } }],
])('inspect --json of %s', async (name, part) => {
  const { code, out } = await recurra('inspect', at(name), '--json');
  expect(code).toBe(0);
  const report = JSON.parse(out);
  expect(report).toMatchObject({
    ...part,
    path: at(name),
    bytes: readFileSync(at(name)).length,
    weights: { count: 9, parameters: 644 },
  });
  if (report.model)
    expect(report.model.layers.map((l: { outputShape: unknown }) => l.outputShape)).toEqual([
      [null, 7],
      [null, 7, 5],
      [null, 12],
      [null, 1],
    ]);
});

test('a class that is not known here is told by what the file says of it, and commands a terminal nothing', async () => {
  const { code, out } = await recurra('inspect', at('own.keras'));
  expect(code).toBe(0);
  expect(out).toMatch(/mine\\u001b\[31m {2}Mine +\? +0/);
  expect(out).not.toContain('\u001b');
  expect((await recurra('inspect', at('own.keras'), '--json')).out).not.toContain('\u001b');
});

const SAME = ['keras', 'h5', 'onnx'];
test.each(['m.keras', 'm.h5', 'm.onnx', 'm.ckpt'].flatMap((from) => SAME.map((to): [string, string] => [from, to])))(
  'convert %s to .%s: the model predicts the same',
  async (from, to) => {
    const out = at(`from-${from}.${to}`);
    const { code, err } = await recurra('convert', at(from), out);
    expect([code, err]).toEqual([0, '']);
    const model = await r.loadModel(out);
    expect((await model.predict(data)).data).toEqual(expected);
    expect(model.compiled).toBe(from !== 'm.onnx' && from !== 'm.ckpt' && to !== 'onnx');
    if (model.compiled) expect(model.optimizer.iterations).toBe(1);
  },
);

test.each(['m.keras', 'm.h5', 'm.onnx', 'm.ckpt', 'm.safetensors', 'w.ckpt'])(
  'convert %s to weights alone',
  async (from) => {
    for (const to of ['weights.h5', 'safetensors']) {
      const out = at(`weights-${from}.${to}`);
      const { code, err } = await recurra('convert', at(from), out);
      if (to === 'weights.h5' && ['m.safetensors', 'w.ckpt'].includes(from)) {
        expect([code, existsSync(out)]).toEqual([1, false]);
        expect(err).toMatch(/received them by names alone. Give the model's architecture by --model FILE/);
        continue;
      }
      expect([code, err]).toEqual([0, '']);
      const model = await r.loadModel(at('m.onnx'));
      model.setWeights(model.weights.map(({ shape }) => r.zeros([...shape])));
      await model.loadWeights(out);
      expect((await model.predict(data)).data).toEqual(expected);
    }
  },
);

test.each(['m.weights.h5', 'm.safetensors', 'w.ckpt'])(
  'convert %s with the architecture of another file',
  async (from) => {
    const refused = await recurra('convert', at(from), at('never.keras'));
    expect([refused.code, existsSync(at('never.keras'))]).toEqual([1, false]);
    expect(refused.err).toMatch(
      /expected a whole model, .* received weights alone. Give its architecture by --model FILE/,
    );
    const out = at(`whole-${from}.keras`);
    expect((await recurra('convert', at(from), out, '--model', at('m.h5'))).code).toBe(0);
    expect((await (await r.loadModel(out)).predict(data)).data).toEqual(expected);
  },
);

test('what cannot be carried over is told, or refused', async () => {
  const told = await recurra('convert', at('m.keras'), at('t.h5'));
  expect(told.out).toMatch(
    /\(keras\) -> .*t.h5 \(h5, \d+ kB\)\nNot carried over: assets. A file of Keras' older format/,
  );
  const report = JSON.parse((await recurra('convert', at('m.keras'), at('t.onnx'), '--json')).out);
  expect(report.lost.map(({ what }: { what: string }) => what)).toEqual([
    'how the model is compiled',
    "the optimizer's state",
  ]);
  const strict = await recurra('convert', at('m.keras'), at('s.h5'), '--strict');
  expect([strict.code, existsSync(at('s.h5'))]).toEqual([1, false]);
  expect(strict.err).toMatch(/loses nothing \(--strict\), but assets would be lost/);
  // Left out on purpose.
  const less = await recurra(
    'convert',
    at('m.keras'),
    at('s.h5'),
    '--strict',
    '--without',
    'assets',
    '--without',
    'optimizer',
  );
  expect([less.code, less.out.split('\n').at(-1)]).toEqual([0, 'Nothing was lost.']);
  expect((await r.loadModel(at('s.h5'))).optimizer.iterations).toBe(0);
  const again = await recurra('convert', at('m.ckpt'), at('c.keras'));
  expect(again.out).toMatch(/Not carried over: the optimizer's state. A checkpoint does not say how/);
  // Assets go where there is room.
  await recurra('convert', at('m.keras'), at('a.onnx'));
  await recurra('convert', at('a.onnx'), at('a.keras'));
  expect(Object.keys(await r.loadAssets(at('a.keras')))).toEqual(['tokenizer', 'blob']);
});

test('a format of several files is written beside its path, and read from there', async () => {
  const { code, out } = await recurra('convert', at('m.keras'), at('web/model.json'));
  expect(code).toBe(0);
  expect(out).toMatch(/-> .*model.json, .*bin \(tfjs, /);
  expect(out).toMatch(/Not carried over: the optimizer's state/);
  expect((await recurra('inspect', at('web/model.json'))).out).toMatch(/Assets: tokenizer \(Tokenizer/);
  const back = at('from-web.keras');
  expect((await recurra('convert', at('web/model.json'), back)).code).toBe(0);
  expect((await (await r.loadModel(back)).predict(data)).data).toEqual(expected);
});

test('a class that is not known here goes along as it stands', async () => {
  expect((await recurra('convert', at('own.keras'), at('own2.keras'))).code).toBe(0);
  expect((await r.loadModel(at('own2.keras'), { customObjects: { Mine } })).layers[0]).toBeInstanceOf(Mine);
  const { code, err } = await recurra('convert', at('own.keras'), at('own.onnx'));
  expect([code, existsSync(at('own.onnx'))]).toEqual([1, false]);
  expect(err).toMatch(/Mine/);
  expect((await recurra('convert', at('own.keras'), at('own.h5'))).err).not.toBe('');
});

test('a file that is there stays, unless it is said', async () => {
  writeFileSync(at('there.keras'), 'mine');
  const { code, err } = await recurra('convert', at('m.h5'), at('there.keras'));
  expect([code, readFileSync(at('there.keras'), 'utf8')]).toEqual([1, 'mine']);
  expect(err).toMatch(/Use --force to replace it/);
  expect((await recurra('convert', at('m.h5'), at('there.keras'), '--force')).code).toBe(0);
  expect((await r.loadModel(at('there.keras'))).name).toBe('text');
});

test.each<[string, readonly string[], number, RegExp]>([
  ['no command', [], 2, /expected a command, inspect or convert, received none. See recurra --help/],
  ['another command', ['constructor'], 2, /received "constructor"/],
  ['no file', ['inspect'], 2, /inspect: expected one FILE, received 0/],
  ['two files', ['inspect', 'a', 'b'], 2, /expected one FILE, received 2/],
  ['one path', ['convert', 'a'], 2, /convert: expected IN and OUT, received 1 paths/],
  ['an unknown option', ['inspect', 'a', '--jsn'], 2, /Unknown option '--jsn'/],
  ['an option of the other', ['inspect', 'a', '--force'], 2, /inspect: expected --json, received --force/],
  ['an option without its value', ['convert', 'a', 'b.h5', '--model'], 2, /--model/],
  ['an unknown ending', ['convert', 'a', 'b.txt'], 2, /expected OUT to end in .keras/],
  [
    'an unknown part',
    ['convert', 'a', 'b.h5', '--without', 'weights'],
    2,
    /--without compile, optimizer, assets, received "weights"/,
  ],
  ['no such file', ['inspect', '/none/a.keras'], 1, /a.keras: expected a file that can be read, but there is none/],
  ['a folder', ['inspect', tmpdir()], 1, /it is a folder/],
  ['another file', ['inspect', __filename], 1, /expected a file of a model .*other bytes/],
])('%s is told in one sentence', async (_, args, code, message) => {
  const ended = await recurra(...args);
  expect([ended.code, ended.out, ended.err.split('\n').length]).toEqual([code, '', 1]);
  expect(ended.err).toMatch(message);
});

test('damaged files are told', async () => {
  const bytes = readFileSync(at('m.keras'));
  writeFileSync(at('torn.keras'), bytes.subarray(0, 5000));
  expect((await recurra('inspect', at('torn.keras'))).err).toMatch(
    /torn.keras: expected a file of a model .*The file may be cut off/,
  );
  writeFileSync(at('torn.ckpt'), readFileSync(at('m.ckpt')).subarray(0, 5000));
  expect((await recurra('convert', at('torn.ckpt'), at('x.keras'))).err).toMatch(/torn or was edited/);
});

test('as a process: help, version, exit codes', () => {
  const command = (...args: string[]) => spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  const help = command('--help');
  expect([help.status, help.stderr]).toEqual([0, '']);
  expect(help.stdout).toMatch(/recurra inspect FILE.*recurra convert IN OUT.*\.safetensors/s);
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
  expect(command('-v').stdout).toBe(`${version}\n`);
  const inspected = command('inspect', at('m.h5'), '--json');
  expect([inspected.status, JSON.parse(inspected.stdout).format]).toEqual([0, 'h5']);
  expect(command('inspect', at('none')).status).toBe(1);
  expect(command('inspcet').status).toBe(2);
  // Who reads may have seen enough.
  const piped = spawnSync('sh', ['-c', `"${process.execPath}" "${BIN}" inspect "${at('m.keras')}" | true`], {
    encoding: 'utf8',
  });
  expect([piped.status, piped.stderr]).toEqual([0, '']);
});
