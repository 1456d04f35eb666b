import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { main } from './cli.js';
import { readSamples } from './data.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'text-classifier-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command line in this process; its exit code and what it wrote. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const log = jest.spyOn(console, 'log').mockImplementation((text: string) => {
    out += `${text}\n`;
  });
  const write = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
  const progress = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    return { code: await main(args), out, err };
  } finally {
    log.mockRestore();
    write.mockRestore();
    progress.mockRestore();
  }
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const ROWS = [
  ['rain and wind', 'weather'],
  ['cold rain', 'weather'],
  ['wind and snow', 'weather'],
  ['今天下雨', 'weather'],
  ['the team won', 'sport'],
  ['a good team', 'sport'],
  ['team and goal', 'sport'],
  ['球队赢了', 'sport'],
] as const;
const csv = (rows: readonly (readonly [string, string])[]): string =>
  `text,label\n${rows.map(([t, l]) => `"${t}",${l}`).join('\n')}\n`;
const QUICK = [
  '--epochs',
  '30',
  '--units',
  '6',
  '--embedding',
  '6',
  '--learning-rate',
  '0.03',
  '--batch-size',
  '4',
  '--dropout',
  '0',
];

test('trains, saves, evaluates and predicts; --json prints one object', async () => {
  const data = file('train.csv', csv(ROWS));
  const out = join(folder, 'model.json');
  const trained = await run('train', '--data', data, '--test', data, '--out', out, '--json', ...QUICK);
  expect(trained.err).toBe('');
  expect(trained.code).toBe(0);
  const result = JSON.parse(trained.out);
  expect(result).toMatchObject({
    command: 'train',
    testAccuracy: 1,
    labels: ['sport', 'weather'],
    trainSamples: 8,
    epochs: 30,
  });
  const evaluated = await run('evaluate', '--model', out, '--data', data, '--json');
  expect(JSON.parse(evaluated.out)).toMatchObject({
    command: 'evaluate',
    accuracy: 1,
    confusion: [
      [4, 0],
      [0, 4],
    ],
  });
  const predicted = await run('predict', '--model', out, '--json', 'snow and rain', '球队赢了');
  expect(JSON.parse(predicted.out).predictions.map((p: { label: string }) => p.label)).toEqual(['weather', 'sport']);
  const plain = await run('predict', '--model', out, 'a team');
  expect(plain.out).toMatch(/sport\s+\d+\.\d %\s+a team/);
  const saved = JSON.parse(readFileSync(out, 'utf8'));
  expect(saved).toMatchObject({ format: 'recurra-text-classifier', version: 1, labels: ['sport', 'weather'] });
});

test.each(['lstm', 'gru', 'rnn'])('every cell, stacked and in both directions: %s', async (cell) => {
  const data = file('cells.csv', csv(ROWS));
  const { code, out, err } = await run(
    'train',
    '--data',
    data,
    '--dev',
    data,
    '--cell',
    cell,
    '--layers',
    '2',
    '--bidirectional',
    '--epochs',
    '2',
    '--units',
    '3',
  );
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('bidirectional_');
});

test('reads CSV, TSV and JSONL, gzipped or not, with columns of any name', async () => {
  const expected = [
    { text: 'a, "b"', label: '1', line: 2 },
    { text: '猫', label: '2', line: 3 },
  ];
  const columns = { text: 'body', label: 'class' };
  const table = 'body,class\n"a, ""b""",1\n猫,2\n';
  const tabs = 'class\tbody\n1\ta, "b"\n2\t猫\n';
  const lines = '\n{"body": "a, \\"b\\"", "class": 1}\n{"body": "猫", "class": "2"}\n';
  for (const [name, content] of [
    ['x.csv', table],
    ['x.tsv', tabs],
    ['x.jsonl', lines],
  ] as const) {
    expect(await readSamples(file(name, content), columns)).toEqual(expected);
    expect(await readSamples(file(`${name}.gz`, gzipSync(content)), columns)).toEqual(expected);
  }
  expect(await readSamples(file('bom.csv', `\uFEFF${table}`), columns)).toEqual(expected);
});

describe('mistakes are one clear message and a non-zero exit', () => {
  test.each<[string, () => string[], RegExp]>([
    ['no such file', () => ['train', '--data', join(folder, 'none.csv')], /none.csv: .*there is no such file/],
    ['unknown kind of file', () => ['train', '--data', file('x.xlsx', 'a')], /named .csv, .tsv or .jsonl/],
    [
      'missing column',
      () => ['train', '--data', file('c.csv', 'a,b\n1,2\n')],
      /c.csv:2: expected a column "text", received a, b. Name it with --text-column/,
    ],
    [
      'missing label column',
      () => ['train', '--data', file('c2.csv', 'text,b\n1,2\n')],
      /column "label".*--label-column/,
    ],
    [
      'wrong number of fields',
      () => ['train', '--data', file('f.csv', 'text,label\na,b\nc\n')],
      /:3: unreadable row: expected 2 fields, received 1/,
    ],
    ['open quote', () => ['train', '--data', file('q.csv', 'text,label\n"a,b\n')], /unreadable row/],
    [
      'bad JSON',
      () => ['train', '--data', file('b.jsonl', '{"text": "a", "label": 1}\n{oops\n')],
      /b.jsonl:2: unreadable row/,
    ],
    ['JSON that is no object', () => ['train', '--data', file('b2.jsonl', '[1]\n')], /expected a JSON object/],
    ['broken UTF-8', () => ['train', '--data', file('u.csv', Buffer.from([0x74, 0xff, 0xfe]))], /expected UTF-8/],
    ['damaged gzip', () => ['train', '--data', file('g.csv.gz', Buffer.from([0x1f, 0x8b, 1, 2]))], /a damaged one/],
    ['no rows', () => ['train', '--data', file('e.csv', 'text,label\n')], /at least one row/],
    [
      'empty text',
      () => ['train', '--data', file('t.csv', 'text,label\na,b\n" ",c\n')],
      /t.csv:3: expected a text, received an empty one/,
    ],
    [
      'empty label',
      () => ['train', '--data', file('l.csv', 'text,label\na,\n')],
      /expected a label, received an empty one/,
    ],
    [
      'one class',
      () => [
        'train',
        '--data',
        file(
          'o.csv',
          csv([
            ['a', 'x'],
            ['b', 'x'],
          ]),
        ),
      ],
      /at least two classes, received one: "x"/,
    ],
    [
      'texts without words',
      () => [
        'train',
        '--data',
        file(
          'w.csv',
          csv([
            ['!', 'x'],
            ['?', 'y'],
          ]),
        ),
      ],
      /texts with words/,
    ],
    [
      'unknown label',
      () => [
        'train',
        '--data',
        file('k.csv', csv(ROWS)),
        '--dev',
        file('k2.csv', csv([['a', 'music']])),
        '--epochs',
        '1',
      ],
      /dev data, line 2: unknown label "music"/,
    ],
    [
      'loss that is no number',
      () => [
        'train',
        '--data',
        file('n.csv', csv(ROWS)),
        '--learning-rate',
        '1e38',
        '--epochs',
        '9',
        '--batch-size',
        '2',
      ],
      /expected a finite loss/,
    ],
    [
      'bad option',
      () => ['train', '--data', file('p.csv', csv(ROWS)), '--units', 'many'],
      /--units: expected an integer >= 1, received "many"/,
    ],
    [
      'bad cell',
      () => ['train', '--data', file('p2.csv', csv(ROWS)), '--cell', 'lstn'],
      /--cell: expected lstm, gru or rnn, received "lstn"/,
    ],
    ['unknown option', () => ['train', '--dta', 'x'], /Unknown option '--dta'/],
    ['unknown command', () => ['trian'], /unknown command "trian"/],
    ['no data', () => ['train'], /expected --data FILE, received none/],
    [
      'no model',
      () => ['predict', '--model', join(folder, 'nope.json'), 'a'],
      /expected a file that train --out wrote/,
    ],
    [
      'another file as model',
      () => ['predict', '--model', file('other.json', '{"a": 1}'), 'a'],
      /received another one/,
    ],
    ['nothing to predict', () => ['predict', '--model', join(folder, 'model.json')], /expected texts/],
    [
      'no place to write',
      () => [
        'train',
        '--data',
        file('r.csv', csv(ROWS)),
        '--epochs',
        '1',
        '--out',
        join(file('plain', ''), 'model.json'),
      ],
      /cannot be written/,
    ],
  ])('%s', async (_name, args, message) => {
    const { code, err } = await run(...args());
    expect(err).toMatch(message);
    expect(err).not.toMatch(/unexpected error|\n\s+at /);
    expect(code).toBeGreaterThan(0);
  });

  test('no command prints the usage', async () => {
    expect((await run()).code).toBe(2);
    expect((await run('--help')).code).toBe(0);
  });
});

test('Ctrl-C leaves no half-written file', async () => {
  const own = mkdtempSync(join(tmpdir(), 'text-classifier-int-'));
  const data = join(own, 'train.csv');
  writeFileSync(data, csv(Array.from({ length: 40 }, () => ROWS).flat()));
  const bin = join(__dirname, '../bin/text-classifier.js');
  const child = spawn(
    process.execPath,
    [bin, 'train', '--data', data, '--out', join(own, 'model.json'), '--epochs', '5000'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Epoch')) resolve();
    });
  });
  child.kill('SIGINT');
  const code = await new Promise((resolve) => {
    child.on('exit', resolve);
  });
  expect(code).toBe(130);
  expect(err).toMatch(/interrupted, nothing was written/);
  expect(readdirSync(own)).toEqual(['train.csv']);
  expect(existsSync(join(own, 'model.json'))).toBe(false);
  rmSync(own, { recursive: true });
});

test('the sentences that ship: counts, balance, both languages, none twice', async () => {
  const read = (name: string) => readSamples(join(__dirname, '../data', name), { text: 'text', label: 'label' });
  const [train, test] = [await read('train.tsv'), await read('test.tsv')];
  expect(train.length + test.length).toBeGreaterThanOrEqual(600);
  const texts = [...train, ...test].map((s) => s.text);
  expect(new Set(texts).size).toBe(texts.length);
  expect(texts.filter((t) => /\p{Script=Han}/u.test(t)).length).toBeGreaterThanOrEqual(250);
  for (const part of [train, test]) {
    const counts = ['weather', 'food', 'sport', 'technology'].map((l) => part.filter((s) => s.label === l).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  }
});
