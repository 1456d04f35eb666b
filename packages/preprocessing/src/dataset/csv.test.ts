import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { type BadRow, type CsvOptions, type CsvRow, csvDataset, ReadError, RowReport } from '../index.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Bytes in pieces of these sizes, again and again. */
async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, k = 0; at < bytes.length; k++) {
    const n = sizes[k % sizes.length]!;
    yield bytes.subarray(at, at + n);
    at += n;
  }
}

interface Read {
  readonly rows: CsvRow[];
  readonly report: RowReport;
  /** What ended the iteration, if something did. */
  readonly error: string | null;
}

/** All that a file gives: also what came before an error. */
async function read(
  text: string | Uint8Array,
  options: CsvOptions = {},
  sizes: readonly number[] = [1 << 20],
): Promise<Read> {
  const report = new RowReport();
  const rows: CsvRow[] = [];
  const bytes = typeof text === 'string' ? bytesOf(text) : text;
  try {
    for await (const row of csvDataset(cut(bytes, sizes), { onBadRow: 'collect', report, name: 'f.csv', ...options }))
      rows.push(row);
  } catch (error) {
    return { rows, report, error: `${(error as Error).name}: ${(error as Error).message}` };
  }
  return { rows, report, error: null };
}

const places = (rows: readonly BadRow[]): unknown[] => rows.map((r) => [r.line, r.lines, r.reason]);

describe('the way back after stray quotes', () => {
  const good = Array.from({ length: 1000 }, (_, i) => `text ${i},${i}`);

  test.each([
    ['never closed', '"never closed,1'],
    ['in a field', 'the 5" and 3" disk,1'],
    ['at the end of a field', 'a 5",1'],
    ['behind a closing quote', '"a"b,1'],
    ['opened in the last field', 'a,"1'],
    ['a lost opening quote', 'a","1"'],
    ['three of them', '"""a,1'],
  ])('%s: that row alone is lost, and reported once', async (_, row) => {
    for (const at of [0, 1, 500, 999, 1000]) {
      const lines = [...good.slice(0, at), row, ...good.slice(at)];
      const found = await read(`text,label\n${lines.join('\n')}\n`);
      expect(found.rows.map((r) => `${r['text']},${r['label']}`)).toEqual(good);
      expect(found.report).toMatchObject({ good: 1000, bad: 1, reasons: { quotes: 1 } });
      expect(found.report.rows).toEqual([
        { reason: 'quotes', message: expect.any(String), file: 'f.csv', line: at + 2, lines: 1, text: row },
      ]);
    }
  });

  test('also where rows below have quotes and line breaks of their own', async () => {
    const rows = ['"a, b",1', '"two\nlines",2', '"say ""hi""",3', '"",4'];
    const found = await read(['text,label', '"lost,0', ...rows].join('\n'));
    expect(found.rows.map((r) => r['text'])).toEqual(['a, b', 'two\nlines', 'say "hi"', '']);
    expect(places(found.report.rows)).toEqual([[2, 1, 'quotes']]);
  });

  test('two stray quotes that meet do not make one row of all between', async () => {
    const lines = good.map((row) => `${row},x`);
    lines[10] = 'a,"10,x';
    lines[900] = 'b",900,x';
    const found = await read(`text,label,more\n${lines.join('\n')}\n`);
    expect(found.rows).toHaveLength(998);
    expect(places(found.report.rows)).toEqual([
      [12, 1, 'quotes'],
      [902, 1, 'quotes'],
    ]);
  });

  test('one row of several lines is one bad row, named by its first', async () => {
    for (const [row, lines, reason] of [
      ['"two\nlines" oops,1', 2, 'quotes'],
      ['"two\n\nlines" oops,1', 3, 'quotes'],
      ['x"y\nsecond,1', 1, 'quotes'],
      ['"two\nlines",1,2', 2, 'fieldCount'],
      ['"first, with some\nsecond\nthird, with some",1,2', 3, 'fieldCount'],
    ] as const) {
      const found = await read(`text,label\na,1\n${row}\nb,2\n`);
      expect(found.rows.at(-1)).toEqual({ text: 'b', label: '2' });
      expect(places(found.report.rows)).toEqual([[3, lines, reason]]);
    }
  });

  test('neighbours that are bad each count', async () => {
    const found = await read('a,b\n"open,1\nx"y,2\n"z"z,3\nfine,4\n"open,5');
    expect(found.rows).toEqual([{ a: 'fine', b: '4' }]);
    expect(found.report.rows.map((r) => r.line)).toEqual([2, 3, 4, 6]);
  });

  test('values of rows of several lines are told with the line where the row began', async () => {
    const options = { numeric: ['b'], required: ['a'] } as const;
    const found = await read('a,b\n"two\nlines",x\n"\n",1\n"and\nmore",1\n', options);
    expect(places(found.report.rows)).toEqual([
      [2, 2, 'type'],
      [4, 2, 'missing'],
    ]);
    expect((await read('a,b\nq,1\n"two\nlines",x\n', { ...options, onBadRow: 'error' })).error).toMatch(
      /^BadRowError: f.csv, line 3: expected a number in "b"/,
    );
  });

  test('random stray quotes in rows without quotes: no row is lost but those', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 199 }), { maxLength: 12 }), fc.nat({ max: 2 }), async (hit, field) => {
        const lines = good.slice(0, 200).map((row) => `${row},z`);
        // In the middle of fields, where they can neither open nor close: each is a bad row by itself.
        for (const i of new Set(hit)) {
          const fields = lines[i]!.split(',');
          fields[field] = `${fields[field]!.slice(0, 1)}"${fields[field]!.slice(1)}x`;
          lines[i] = fields.join(',');
        }
        const found = await read(`a,b,c\n${lines.join('\n')}\n`);
        expect(found.report.rows.map((r) => r.line)).toEqual([...new Set(hit)].sort((a, b) => a - b).map((i) => i + 2));
        expect(found.rows).toHaveLength(200 - new Set(hit).size);
      }),
    );
  });
});

describe('line ends and separators', () => {
  const rows = [
    { a: '1', b: 'x' },
    { a: '2', b: 'y' },
  ];

  test.each(['\n', '\r\n', '\r'])('lines that end with %j', async (end) => {
    for (const last of ['', end])
      for (const sizes of [[100], [1], [2, 3]])
        expect((await read(`a,b${end}1,x${end}${end}2,y${last}`, {}, sizes)).rows).toEqual(rows);
    const quoted = await read(`a,b${end}"1${end}1","x"${end}2${end}`);
    expect(quoted.rows).toEqual([{ a: `1${end}1`, b: 'x' }]);
    expect(places(quoted.report.rows)).toEqual([[4, 1, 'fieldCount']]);
  });

  test('mixed line ends, and a mark at the start', async () => {
    expect((await read('\ufeffa,b\r1,x\r\n2,y\n')).rows).toEqual(rows);
    expect((await read('\ufeffa,b\r1,x\r\n2,y\n', {}, [1])).rows).toEqual(rows);
  });

  test.each([';', '\t', '|'])('a file that is separated by %j says so', async (delimiter) => {
    const text = 'a,b\n1,x\n2,y\n'.replaceAll(',', delimiter);
    const hint = `delimiter: ${JSON.stringify(delimiter)}`;
    for (const options of [{}, { required: ['a'] }]) {
      const { error, rows: none } = await read(text, { ...options, onBadRow: 'skip' });
      expect(error).toMatch(/^ValueError: f.csv: expected columns separated by ","/);
      expect(error).toContain(hint);
      expect(none).toEqual([]);
    }
    const named = await read(text, { columns: ['a', 'b'], onBadRow: 'error' });
    expect(named.error).toContain(`expected 2 fields, received 1 (2 with ${hint})`);
    expect((await read(text, { delimiter })).rows).toEqual(rows);
  });

  test('one column is no mistake', async () => {
    expect((await read('text\nhello there\n"a; b"\n')).rows).toEqual([{ text: 'hello there' }, { text: 'a; b' }]);
  });
});

describe('headers', () => {
  test.each([
    ['a stray quote', 'te"xt,label\na,1\n'],
    ['an open quote', '"text,label\na,1\nb,2\n'],
    ['an open quote that a later one closes', '"text,label\na,1\nb",2\nc,3\n'],
    ['a quote that is closed too early', '"te"xt,label\na,1\n'],
    ['no UTF-8', Buffer.from('te\xffxt,label\na,1\n', 'latin1')],
    ['UTF-16', Buffer.from('\ufefftext,label\na,1\n', 'utf16le')],
    ['a long line', `${'x'.repeat(300)},label\na,1\n`],
    ['nothing', ''],
    ['blank lines', '\n\n\r\n'],
  ])('%s: an error, never the next row in its place', async (_, text) => {
    for (const onBadRow of ['skip', 'collect', 'error'] as const)
      for (const sizes of [[1000], [1], [7]]) {
        const { error, rows, report } = await read(text, { onBadRow, maxRowBytes: 200 }, sizes);
        expect(error).toMatch(/^ReadError: f.csv(, line 1)?: expected a header/);
        expect([rows, report.good]).toEqual([[], 0]);
      }
  });

  test('UTF-16 is named', async () => {
    expect((await read(Buffer.from('\ufefftext,label\n', 'utf16le'))).error).toMatch(/UTF-16: save it as UTF-8/);
  });

  test('names may hold line breaks and quotes', async () => {
    expect((await read('"a\nb","say ""c"""\n1,2\n')).rows).toEqual([{ 'a\nb': '1', 'say "c"': '2' }]);
  });

  test('lineColumn is a column of its own', async () => {
    expect((await read('a,b\n1,2\n', { lineColumn: 'b' })).error).toMatch(/no column of the file, received "b"/);
  });
});

describe('limits', () => {
  test('a longer row or field is a bad row; what is as long is none', async () => {
    const fits = `${'x'.repeat(98)},1`;
    const text = `a,b\n${fits}\n${fits}0\n"${'y\n'.repeat(48)}",2\n"${'y\n'.repeat(49)}",2\nc,3\n`;
    for (const sizes of [[1 << 20], [1], [13]]) {
      const found = await read(text, { maxRowBytes: 100 }, sizes);
      expect(found.rows.map((r) => r['b'])).toEqual(['1', '2', '3']);
      expect(found.report.rows[0]).toMatchObject({ line: 3, reason: 'length', lines: 1 });
      expect(found.report.rows[0]!.message).toBe('expected a row of at most 100 bytes (maxRowBytes)');
      expect(found.report.rows[1]).toMatchObject({ line: 53, reason: 'quotes', lines: 50 });
      expect(found.report.bad).toBe(2);
    }
    const fields = await read('a,b\nxxxx,1\nxxxxx,2\n第,3\n第三,4\n', { maxFieldBytes: 4 });
    expect(fields.rows.map((r) => r['b'])).toEqual(['1', '3']);
    expect(places(fields.report.rows)).toEqual([
      [3, 1, 'length'],
      [5, 1, 'length'],
    ]);
  });

  test('mistakes in options are told', () => {
    for (const maxRowBytes of [0, -1, Number.NaN])
      expect(() => csvDataset('x', { maxRowBytes })).toThrow(/maxRowBytes to be a number of bytes >= 1/);
    expect(() => csvDataset('x', { maxFieldBytes: 0 })).toThrow(/maxFieldBytes/);
    expect(() => csvDataset('x', { delimiter: '"' })).toThrow(/to differ/);
    expect(() => csvDataset('x', { delimiter: '\n' })).toThrow(/no line end/);
    expect(() => csvDataset('x', { comment: '' })).toThrow(/comment/);
  });
});

test('names that every object has are columns like others', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  const text = `${names.join(',')}\n1,2,3,4,5\n6,,8,9,10\n`;
  const found = await read(text, { numeric: 'all', required: ['constructor'], lineColumn: 'isPrototypeOf' });
  expect(found.rows).toHaveLength(1);
  expect(Object.entries(found.rows[0]!)).toEqual([
    ...names.map((name, i) => [name, i + 1] as [string, number]),
    ['isPrototypeOf', 2],
  ]);
  expect(places(found.report.rows)).toEqual([[3, 1, 'missing']]);
  const line = await read('a\n1\n', { lineColumn: '__proto__' });
  expect(Object.entries(line.rows[0]!)).toEqual([
    ['a', '1'],
    ['__proto__', 2],
  ]);
  for (const name of names)
    expect((await read('a,b\n1,2\n', { required: [name] })).error).toMatch(`a column "${name}"`);
});

/** Files of all kinds, then damaged: bytes put in, left out, changed, parts doubled. */
const damaged = fc
  .tuple(
    fc.array(
      fc.array(fc.constantFrom('', 'a', '1', '"x, y"', '"two\nlines"', '"a ""b"""', '你好', 'é', ' s ', '""', '#'), {
        minLength: 2,
        maxLength: 3,
      }),
      { maxLength: 12 },
    ),
    fc.constantFrom('\n', '\r\n', '\r'),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom(0x22, 0x22, 0x22, 0x2c, 0x0a, 0x0d, 0xff, 0xc3, 0x3b, 0x20, 0x23, 0x61),
        fc.constantFrom('in', 'out', 'change'),
      ),
      { maxLength: 8 },
    ),
  )
  .map(([rows, end, damage]) => {
    const bytes = [...bytesOf(['left,right', ...rows.map((r) => r.join(','))].join(end))];
    for (const [at, byte, how] of damage)
      bytes.splice(at % (bytes.length + 1), how === 'in' ? 0 : 1, ...(how === 'out' ? [] : [byte]));
    return Uint8Array.from(bytes);
  });

test('damaged files: rows and reports do not depend on how the bytes come, nor on lineColumn', async () => {
  const options = fc.record({
    maxRowBytes: fc.constantFrom(5, 20, 1 << 20),
    trim: fc.boolean(),
    comment: fc.constantFrom(null, '#'),
    columns: fc.constantFrom(null, ['left', 'right']),
    onBadRow: fc.constantFrom('collect' as const, 'error' as const),
    numeric: fc.constantFrom([], ['right']),
  });
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(damaged, options, sizes, async (bytes, how, parts) => {
      const whole = await read(bytes, how);
      expect(await read(bytes, how, parts)).toEqual(whole);
      expect(await read(bytes, how, [1])).toEqual(whole);
      const lines = await read(bytes, { ...how, lineColumn: '#line' }, parts);
      expect(lines.rows.map(({ '#line': _, ...row }) => row)).toEqual(whole.rows);
      expect([lines.report, lines.error]).toEqual([whole.report, whole.error]);
      const { good, bad, reasons, rows } = whole.report;
      expect(good).toBe(whole.rows.length);
      expect(Object.values(reasons).reduce((a, b) => a + b, 0)).toBe(bad);
      expect(rows).toHaveLength(bad);
      // Each line is part of one row at most.
      for (let i = 1; i < rows.length; i++)
        expect(rows[i]!.line).toBeGreaterThanOrEqual(rows[i - 1]!.line + rows[i - 1]!.lines);
      const taken = lines.rows.map((row) => row['#line'] as number);
      for (const { line, lines: n } of rows)
        expect(taken.filter((number) => number >= line && number < line + n)).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test('well-formed files: as csv-parse reads them', async () => {
  const field = fc.oneof(
    fc.constantFrom('', 'a', '1', 'x, y', 'two\nlines', 'two\r\nlines', 'say "hi"', '你好', '"', ',', '""', '\n', '#x'),
    fc.string({ unit: 'grapheme' }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(field, field, field), { maxLength: 20 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.constantFrom(',', ';', '\t'),
      fc.boolean(),
      fc.boolean(),
      async (rows, end, delimiter, always, last) => {
        const quote = (s: string): string =>
          always || /["\r\n\ufeff]/.test(s) || s.includes(delimiter) ? `"${s.replaceAll('"', '""')}"` : s;
        const text = ['k,l,m'.replaceAll(',', delimiter), ...rows.map((r) => r.map(quote).join(delimiter))].join(end);
        const whole = bytesOf(last ? text + end : text);
        const expected = parse(Buffer.from(whole), {
          columns: true,
          delimiter,
          record_delimiter: end,
          skip_empty_lines: true,
        }) as CsvRow[];
        const found = await read(whole, { delimiter, onBadRow: 'error' });
        expect(found.error).toBeNull();
        expect(found.rows).toEqual(expected);
        expect(found.rows).toEqual(rows.map(([k, l, m]) => ({ k, l, m })));
      },
    ),
  );
});

test('errors are typed', async () => {
  await expect(csvDataset(bytesOf('"a\n')).toArray()).rejects.toThrow(ReadError);
});
