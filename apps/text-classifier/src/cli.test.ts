import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { main } from './cli.js';
import { type Reading, readSamples } from './data.js';

const READING: Reading = { text: 'text', label: 'label', delimiter: null, onBadRow: 'error', maxRowBytes: null };

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
  const write = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
  const print = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  try {
    return { code: await main(args), out, err };
  } finally {
    write.mockRestore();
    print.mockRestore();
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
  expect(saved).toMatchObject({
    format: 'recurra-text-classifier',
    version: 2,
    content: { labels: ['sport', 'weather'] },
  });
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
  const reading = { ...READING, text: 'body', label: 'class' };
  const table = 'body,class\n"a, ""b""",1\n猫,2\n';
  const tabs = 'class\tbody\n1\ta, "b"\n2\t猫\n';
  const lines = '\n{"body": "a, \\"b\\"", "class": 1}\n{"body": "猫", "class": "2"}\n';
  for (const [name, content] of [
    ['x.csv', table],
    ['x.tsv', tabs],
    ['x.jsonl', lines],
  ] as const) {
    expect((await readSamples(file(name, content), reading)).samples).toEqual(expected);
    expect((await readSamples(file(`${name}.gz`, gzipSync(content)), reading)).samples).toEqual(expected);
  }
  expect((await readSamples(file('bom.csv', `\uFEFF${table}`), reading)).samples).toEqual(expected);
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
    [
      'a row too long',
      () => ['train', '--data', file('wide.csv', `text,label\na,b\n${'c'.repeat(2_000_000)},d\n`)],
      /wide.csv:3: unreadable row: expected a row of at most 1048576 bytes \(--max-row-bytes\)/,
    ],
    [
      'a quoted row too long',
      () => ['train', '--max-row-bytes', '20', '--data', file('open.csv', `text,label\n"${'c'.repeat(50)}",d\na,b\n`)],
      /open.csv:2: unreadable row: expected .* 20 bytes \(--max-row-bytes\)/,
    ],
    [
      'a line of JSON too long',
      () => [
        'train',
        '--max-row-bytes',
        '20',
        '--data',
        file('wide.jsonl', '{"text": "abcdefghijkl", "label": "x"}\n'),
      ],
      /wide.jsonl:1: unreadable row: expected a line of at most 20 bytes \(--max-row-bytes\)/,
    ],
    ['no row fits', () => ['train', '--max-row-bytes', '0'], /--max-row-bytes: expected an integer >= 1, received "0"/],
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
      /k2.csv:2: unknown label "music". The model knows sport, weather/,
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
      /--units: expected an integer from 1 to 16384, received "many"/,
    ],
    [
      'bad cell',
      () => ['train', '--data', file('p2.csv', csv(ROWS)), '--cell', 'lstn'],
      /--cell: expected lstm, gru or rnn, received "lstn"/,
    ],
    ['unknown option', () => ['train', '--dta', 'x'], /unknown option '--dta'\n\(Did you mean --data\?\)/],
    ['unknown command', () => ['trian'], /unknown command 'trian'\n\(Did you mean train\?\)/],
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
    ['a text with a dash', () => ['predict', '--model', 'm', '-5 degrees'], /begin with a dash go behind --/],
    ['an option of another command', () => ['predict', '--units', '3', 'a'], /unknown option '--units'/],
    ['an option twice', () => ['train', '--units', '3', '--units', '4'], /--units: expected it once/],
    ['a file without its option', () => ['train', 'a.csv'], /unexpected argument "a.csv". .*--data FILE/],
    ['no epochs', () => ['train', '--epochs', '0'], /--epochs: expected an integer >= 1, received "0"/],
    ['epochs that are no number', () => ['train', '--epochs', 'x'], /--epochs: .*received "x"/],
    ['negative units', () => ['train', '--units', '-1'], /--units: .*received "-1"/],
    ['half a text in a batch', () => ['train', '--batch-size', '1.5'], /--batch-size: .*received "1.5"/],
    ['a vocabulary without a word', () => ['train', '--vocabulary', '2'], /--vocabulary: expected an integer >= 3/],
    ['a long maximum', () => ['train', '--max-length', '1e9'], /--max-length: .*from 1 to 100000/],
    [
      'more weights than can be saved',
      () => ['train', '--data', file('big.csv', csv(ROWS)), '--units', '9000'],
      /at most 90,000,000 weights/,
    ],
    ['a bad delimiter', () => ['train', '--delimiter', ';;'], /--delimiter: expected one ASCII character/],
    ['a folder as data', () => ['train', '--data', folder, '--delimiter', ','], /it is a folder/],
    [
      'an empty file',
      () => ['train', '--data', file('empty.csv', '')],
      /empty.csv: expected a header .*received no rows/,
    ],
    ['an empty name', () => ['train', '--data', ''], /expected the name of a file/],
    [
      'another delimiter',
      () => ['train', '--data', file('semi.csv', 'text;label\na;b\n')],
      /semi.csv: expected columns separated by ",".*Give --delimiter ";"\.\n/,
    ],
    [
      'no row that can be used, with skip',
      () => ['train', '--data', file('none.csv', 'text,label\n,a\n,b\n'), '--on-bad-row', 'skip'],
      /none.csv:2: expected a text, received an empty one\nNo row/,
    ],
    ['a folder as model', () => ['predict', '--model', folder, 'a'], /it is a folder/],
    ['an empty model', () => ['predict', '--model', file('empty.json', ''), 'a'], /received an empty one/],
    [
      'a model of an earlier version',
      () => [
        'predict',
        '--model',
        file('v1.json', '{"format":"recurra-text-classifier","version":1,"labels":[]}'),
        'a',
      ],
      /version 1 of the format, where this program knows 2/,
    ],
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

test('the sentences that ship: counts, balance, both languages, none twice', async () => {
  const read = async (name: string) => (await readSamples(join(__dirname, '../data', name), READING)).samples;
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

describe('rows that cannot be used', () => {
  const bad = (): string => file('bad.csv', `${csv(ROWS)}"",weather\nlonely\n" ",sport\nno label," "\n`);

  test('error: the first with file and line, and how many there are', async () => {
    const { code, err } = await run('train', '--data', bad(), '--epochs', '1');
    expect(code).toBe(1);
    expect(err).toMatch(/bad.csv:10: expected a text, received an empty one\n/);
    expect(err).toMatch(/The first of 4 bad rows \(emptyText 2, emptyLabel 1, fieldCount 1\), beside 8 good ones/);
  });

  test('skip counts them; collect lists them; results say so', async () => {
    const skipped = await run('train', '--data', bad(), '--epochs', '1', '--on-bad-row', 'skip', '--json');
    expect(skipped.code).toBe(0);
    expect(skipped.err).toMatch(/left out 4 of 12 rows/);
    expect(skipped.err.match(/bad.csv:\d+/g)).toHaveLength(3);
    expect(JSON.parse(skipped.out)).toMatchObject({
      trainSamples: 8,
      badRows: [{ bad: 4, rows: [{ line: 10 }, { line: 11 }, { line: 12 }, { line: 13 }] }],
    });
    const collected = await run('train', '--data', bad(), '--epochs', '1', '--on-bad-row', 'collect');
    expect(collected.err.match(/bad.csv:(\d+)/g)).toEqual(['bad.csv:10', 'bad.csv:11', 'bad.csv:12', 'bad.csv:13']);
  });

  test('a row of several lines is named by the line where it begins', async () => {
    const data = file('long.csv', 'text,label\n"a\nb\nc",x\n"d\n\n",y\n" \n ",z\n');
    const { err } = await run('train', '--data', data);
    expect(err).toMatch(/long.csv:8: expected a text, received an empty one/);
  });
});

test('labels lose the spaces around them, and that is said', async () => {
  const data = file('spaces.csv', 'text,label\ngood,yes\nbad, no\nfine,yes \n');
  const { code, out, err } = await run('train', '--data', data, '--epochs', '1', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out).labels).toEqual(['no', 'yes']);
  expect(err).toMatch(/left out the spaces around 2 labels/);
});

test('--delimiter', async () => {
  const data = file('semicolons.csv', csv(ROWS).replaceAll(',', ';'));
  expect((await run('train', '--data', data, '--delimiter', ';', '--epochs', '1')).code).toBe(0);
  const tabs = file('tabs.txt', csv(ROWS).replaceAll(',', '\t'));
  expect((await run('train', '--data', tabs, '--delimiter', 'tab', '--epochs', '1')).code).toBe(0);
});

test('names of prototypes are ordinary columns, labels and words', async () => {
  const rows = 'toString,constructor\nconstructor valueOf,hasOwnProperty\n__proto__ toString,constructor\n';
  const data = file('prototypes.csv', rows);
  const out = join(folder, 'prototypes.json');
  const columns = ['--text-column', 'toString', '--label-column', 'constructor'];
  const trained = await run('train', '--data', data, ...columns, '--out', out, '--json', ...QUICK);
  expect([trained.code, trained.err]).toEqual([0, '']);
  expect(JSON.parse(trained.out).labels).toEqual(['constructor', 'hasOwnProperty']);
  const predicted = await run('predict', '--model', out, '--json', 'constructor valueOf');
  expect(JSON.parse(predicted.out).predictions[0].label).toBe('hasOwnProperty');
  const missing = file('missing.csv', 'a,b\n1,2\n');
  expect((await run('train', '--data', missing, ...columns)).err).toMatch(
    /expected a column "toString", received a, b/,
  );
});

test('unknown labels of the test file are found before training, with file and line', async () => {
  const data = file('seen.csv', csv(ROWS));
  const test = file('unseen.csv', 'text,label\n"rain",weather\n"tune",music\n"song",music\n');
  const { code, out, err } = await run('train', '--data', data, '--test', test);
  expect(code).toBe(1);
  expect(err).toMatch(/unseen.csv:3: unknown label "music" \(the first of 2 rows/);
  expect(out).not.toMatch(/Epoch|vocabulary/);
});

test('predictions of a file carry the lines of their rows', async () => {
  const data = file('lined.csv', csv(ROWS));
  const out = join(folder, 'lined.json');
  await run('train', '--data', data, '--out', out, '--epochs', '1', '--json');
  const texts = file('lined.jsonl', '{"text": "rain"}\n{"text": ""}\n{"text": "team"}\n');
  const { out: printed } = await run(
    'predict',
    '--model',
    out,
    '--data',
    texts,
    '--on-bad-row',
    'skip',
    '--json',
    'first',
  );
  expect(JSON.parse(printed).predictions.map((p: { line?: number }) => p.line)).toEqual([undefined, 1, 3]);
});

test('--max-row-bytes lets longer rows in, of every format', async () => {
  const long = `rain ${'and wind '.repeat(150_000)}`;
  const lines = JSON.stringify({ text: long, label: 'weather' });
  for (const [name, content] of [
    ['long.csv', csv([...ROWS, [long, 'weather']])],
    [
      'long.tsv',
      csv([...ROWS, [long, 'weather']])
        .replaceAll('"', '')
        .replaceAll(',', '\t'),
    ],
    ['long.jsonl', `${lines}\n{"text": "team", "label": "sport"}\n`],
  ] as const) {
    const { samples } = await readSamples(file(name, content), { ...READING, maxRowBytes: 2_000_000 });
    expect(samples.find((s) => s.text.length === long.trim().length || s.text === long)?.label).toBe('weather');
    await expect(readSamples(join(folder, name), { ...READING, maxRowBytes: 1_000_000 })).rejects.toThrow(
      /of at most 1000000 bytes \(--max-row-bytes\)|within 1000000 bytes \(--max-row-bytes\)/,
    );
  }
});

describe('what a file or an argument holds is no command to the terminal', () => {
  // C1: U+009B begins a command as ESC [ does, also as UTF-8.
  const evil = 'x\u009b2Jy\u001b[31mz\u007f\u0090\u202e';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
  const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

  test('labels, texts, names of files, in results and in errors', async () => {
    const data = file(`evil-${'\u009b'}.csv`, csv([...ROWS, ['rain', evil], [`goal ${evil}`, evil], ['rain', evil]]));
    const out = join(folder, `evil-${'\u009b'}.json`);
    const plain = ['train', '--data', data, '--test', data, '--out', out, '--epochs', '1', '--units', '2'];
    const seen = [
      await run(...plain),
      await run(...plain, '--json'),
      await run('predict', '--model', out, evil),
      await run('predict', '--model', out, '--data', data, '--json'),
      await run('evaluate', '--model', out, '--data', data),
      // Errors: an unknown label, a bad row, a column, an option, a command, a file.
      await run('evaluate', '--model', out, '--data', file('unknown.csv', csv([['a', `${evil}?`]]))),
      await run('train', '--data', file('fields.csv', `text,label\na,b\n${evil}\n`)),
      await run('train', '--data', file('column.csv', `text,${evil}\na,b\n`)),
      await run('train', `--${evil}`),
      await run('train', '--cell', evil),
      await run(evil),
      await run('train', '--data', join(folder, `${evil}.csv`)),
    ];
    expect(seen.slice(0, 5).map(({ code, err }) => [code, err])).toEqual(Array(5).fill([0, '']));
    for (const { code } of seen.slice(5)) expect(code).toBeGreaterThan(0);
    for (const { out: text, err } of seen) expect([OBEYED.exec(text), OBEYED.exec(err)]).toEqual([null, null]);
    for (const { out: text, err } of seen) expect(text + err).toMatch(/\\u009b/);
    expect(JSON.parse(seen[1]!.out)).toMatchObject({ labels: ['sport', 'weather', evil], out });
    expect(JSON.parse(seen[3]!.out).predictions.map((p: { text: string }) => p.text)).toContain(`goal ${evil}`);
  });
});
