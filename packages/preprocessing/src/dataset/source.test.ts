import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  BadRowError,
  csvDataset,
  folderDataset,
  jsonlDataset,
  parquetDataset,
  ReadError,
  RowReport,
  readBytes,
  readText,
  textLineDataset,
} from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'recurra-data-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** A source that comes in pieces of these sizes, again and again. */
function pieces(text: string | Uint8Array, sizes: readonly number[]): AsyncIterable<Uint8Array> {
  const bytes = typeof text === 'string' ? bytesOf(text) : text;
  return {
    async *[Symbol.asyncIterator]() {
      for (let at = 0, k = 0; at < bytes.length; k++) {
        const n = sizes[k % sizes.length]!;
        yield bytes.subarray(at, at + n);
        at += n;
      }
    },
  };
}

describe('sources', () => {
  const text = 'first line\nzweite Zeile: ä\n第三行\n';

  test('paths, URLs of files, bytes, blobs, files, streams, responses: the same text', async () => {
    const path = write('plain.txt', text);
    const zipped = write('plain.txt.gz', gzipSync(text));
    const members = Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(text.slice(9))]);
    const sources = [
      ...[path, zipped, new URL(`file://${path}`), bytesOf(text), gzipSync(text), members, new Blob([text])],
      ...[new File([text], 'a.txt'), new Blob([text]).stream(), new Response(text), pieces(text, [1, 2, 3])],
      pieces(gzipSync(text), [1, 5]),
    ];
    for (const source of sources) expect(await readText(source)).toBe(text);
  });

  test('lines do not depend on how the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }).map((s) => s.replace(/[\r\n\ufeff]/g, ''))),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        fc.boolean(),
        async (lines, sizes, last) => {
          const whole = lines.map((l) => `${l}\n`).join('');
          const cut = last || lines.at(-1) === '' ? whole : whole.slice(0, -1);
          expect(await textLineDataset(pieces(cut, sizes)).toArray()).toEqual(lines);
        },
      ),
    );
    expect(await textLineDataset(bytesOf('\ufeffa\r\nb')).toArray()).toEqual(['a', 'b']);
  });

  test('what cannot be read is told', async () => {
    await expect(readText(join(folder, 'absent'))).rejects.toThrow(
      /absent: expected a file that can be read: there is no such file/,
    );
    await expect(readText(gzipSync(text).subarray(0, 20))).rejects.toThrow(/a whole gzip file/);
    await expect(readText(Uint8Array.of(255, 255, 255))).rejects.toThrow(/expected UTF-8/);
    await expect(readText(new Response('no', { status: 404 }))).rejects.toThrow(/status 404/);
    const used = new Response(text);
    await used.text();
    await expect(readText(used)).rejects.toThrow(/can be read once/);
    await expect(readText(bytesOf(text), { sha256: '00' })).rejects.toThrow(/expected SHA-256 00, received/);
  });
});

describe('requests', () => {
  const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
  const sha256 = createHash('sha256').update(body).digest('hex');
  const seen: { url: string; range: string | undefined }[] = [];
  let server: Server;
  let base: string;
  let failures = 0;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const { range } = request.headers;
      const url = request.url!;
      seen.push({ url, range });
      const from = range ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
      if (url.startsWith('/busy') && failures-- > 0) {
        response.writeHead(503).end();
        return;
      }
      if (url === '/gone') {
        response.writeHead(404).end();
        return;
      }
      const ranges = !url.startsWith('/noranges');
      const part = ranges ? body.subarray(from) : body;
      response.writeHead(ranges && range ? 206 : 200, { 'content-length': part.length, etag: '"x"' });
      // Breaks off in the middle, the first time.
      if (url.startsWith('/broken') || url.startsWith('/noranges')) {
        if (failures-- > 0) {
          response.write(part.subarray(0, 70_000), () => response.destroy());
          return;
        }
      }
      response.end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => {
    seen.length = 0;
  });

  const read = async (url: string, options: Parameters<typeof readBytes>[1] = {}): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of readBytes(url, { retryDelay: 1, ...options })) parts.push(part);
    return Buffer.concat(parts);
  };

  test('progress and checksum', async () => {
    const progress: number[] = [];
    let total: number | null = null;
    const found = await read(`${base}/plain`, {
      sha256,
      onProgress: (p) => {
        progress.push(p.bytes);
        total = p.total;
      },
    });
    expect(found.equals(body)).toBe(true);
    expect(progress.at(-1)).toBe(body.length);
    expect(total).toBe(body.length);
    await expect(read(`${base}/plain`, { sha256: `${sha256.slice(0, -1)}x` })).rejects.toThrow(ReadError);
  });

  test('a busy server is asked again, a missing file is not', async () => {
    failures = 2;
    expect((await read(`${base}/busy`)).equals(body)).toBe(true);
    expect(seen).toHaveLength(3);
    failures = 9;
    await expect(read(`${base}/busy`)).rejects.toThrow(/status 503.*tried 4 times/);
    seen.length = 0;
    await expect(read(`${base}/gone`)).rejects.toThrow(/status 404/);
    expect(seen).toHaveLength(1);
  });

  test('what breaks off goes on where it was, also where the server knows no ranges', async () => {
    failures = 1;
    expect((await read(`${base}/broken`, { sha256 })).equals(body)).toBe(true);
    expect(seen[1]!.range).toMatch(/^bytes=\d+-$/);
    failures = 1;
    expect((await read(`${base}/noranges`, { sha256 })).equals(body)).toBe(true);
  });

  test('a cache reads once; damaged files are not kept', async () => {
    const cache = join(folder, 'cache');
    await expect(read(`${base}/cached`, { cache, sha256: '00' })).rejects.toThrow(/SHA-256/);
    expect(readdirSync(cache)).toEqual([]);
    for (let i = 0; i < 2; i++) expect((await read(`${base}/cached`, { cache, sha256 })).equals(body)).toBe(true);
    expect(seen).toHaveLength(2);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  test('reading can be ended', async () => {
    const controller = new AbortController();
    const reading = read(`${base}/plain`, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(reading).rejects.toThrow(/abort/i);
  });

  test('rows of a fetch response', async () => {
    const rows = await csvDataset(new Response('a,b\n1,2\n'), { numeric: 'all' }).toArray();
    expect(rows).toEqual([{ a: 1, b: 2 }]);
  });
});

describe('CSV', () => {
  test('quotes, doubled quotes, line breaks in fields, separators', async () => {
    const text = 'a,b\n"x, y","say ""hi"""\n"two\nlines",z\n';
    expect(await csvDataset(bytesOf(text)).toArray()).toEqual([
      { a: 'x, y', b: 'say "hi"' },
      { a: 'two\nlines', b: 'z' },
    ]);
    expect(await csvDataset(bytesOf('a\tb\n1\t2'), { delimiter: '\t' }).toArray()).toEqual([{ a: '1', b: '2' }]);
    expect(await csvDataset(bytesOf('1;2'), { delimiter: ';', columns: ['x', 'y'], numeric: ['y'] }).toArray()).toEqual(
      [{ x: '1', y: 2 }],
    );
    expect(await csvDataset(bytesOf('a,b,c\n1,2,3'), { select: ['c'], required: ['a'] }).toArray()).toEqual([
      { a: '1', c: '3' },
    ]);
  });

  test('rows do not depend on how the bytes come', async () => {
    const field = fc.oneof(
      fc.constantFrom('', 'a', '1', 'x, y', 'two\nlines', 'say "hi"', '你好', '"', 'crlf\r\nend'),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field), { minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        fc.boolean(),
        async (rows, sizes, always) => {
          const quote = (s: string): string => (always || /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s);
          const text = ['left,right', ...rows.map((r) => r.map(quote).join(','))].join('\n');
          const found = await csvDataset(pieces(text, sizes)).toArray();
          expect(found).toEqual(rows.map(([left, right]) => ({ left, right })));
        },
      ),
    );
  });

  const bad = Buffer.concat([
    Buffer.from('text,label\ngood,1\ntoo,many,fields\n'),
    Buffer.from([0x62, 0xff, 0x64]),
    Buffer.from(',1\nno label,\nnot a number,x\nfine,0\n"never closed,1\nlast,1\n'),
  ]);
  const options = { numeric: ['label'], required: ['label'], name: 'bad.csv' };

  test('an error by default, with file and line', async () => {
    const reading = csvDataset(bad, options).toArray();
    await expect(reading).rejects.toThrow(BadRowError);
    await expect(csvDataset(bad, options).toArray()).rejects.toThrow(
      /bad.csv, line 3: expected 2 fields, received 3: "too,many,fields"/,
    );
  });

  test('collected: each with its reason and line, none lost', async () => {
    for (const sizes of [[1000], [7], [1]]) {
      const report = new RowReport();
      const rows = await csvDataset(pieces(bad, sizes), { ...options, onBadRow: 'collect', report }).toArray();
      expect(rows.map((r) => r['text'])).toEqual(['good', 'fine', 'last']);
      expect(report.good).toBe(3);
      expect(report.bad).toBe(5);
      expect(report.rows.map((r) => [r.line, r.reason]).sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual([
        [3, 'fieldCount'],
        [4, 'encoding'],
        [5, 'missing'],
        [6, 'type'],
        [8, 'quotes'],
      ]);
      expect(report.reasons).toEqual({ fieldCount: 1, encoding: 1, missing: 1, type: 1, quotes: 1 });
      expect(report.rows.every((r) => r.file === 'bad.csv')).toBe(true);
    }
  });

  test('the first row names the columns, also where rows after good ones are bad', async () => {
    const report = new RowReport();
    const text = 'a,label\nx,1\ny,2\nz,\nw,3\n';
    const rows = await csvDataset(bytesOf(text), { ...options, onBadRow: 'collect', report }).toArray();
    expect(rows.map((r) => r['a'])).toEqual(['x', 'y', 'w']);
    expect(report.rows.map((r) => r.line)).toEqual([4]);
  });

  test('skipped: counted, and said where nobody asked for a report', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const rows = await csvDataset(bad, { ...options, onBadRow: 'skip' }).toArray();
    expect(rows).toHaveLength(3);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/bad.csv: left out 5 of 8 rows: line \d+/)]]);
    warn.mockRestore();
  });

  test('mistakes are told', async () => {
    expect(() => csvDataset('x', { delimiter: '||' })).toThrow(/one ASCII character/);
    await expect(csvDataset(bytesOf('a,b\n1,2'), { required: ['label'] }).toArray()).rejects.toThrow(
      /a column "label"/,
    );
    await expect(csvDataset(bytesOf('a,a\n1,2')).toArray()).rejects.toThrow(/different names/);
  });
});

test('JSON lines: bad ones have their reason and line', async () => {
  const report = new RowReport();
  const text = '{"text":"a","label":1}\n\n{"text":"b"}\n{broken\n{"text":"c","label":0}\n';
  const rows = await jsonlDataset<{ text: string }>(bytesOf(text), {
    required: ['label'],
    onBadRow: 'collect',
    report,
  }).toArray();
  expect(rows.map((r) => r.text)).toEqual(['a', 'c']);
  expect(report.rows.map((r) => [r.line, r.reason])).toEqual([
    [3, 'missing'],
    [4, 'json'],
  ]);
  await expect(jsonlDataset(bytesOf(text), { name: 'x.jsonl' }).toArray()).rejects.toThrow(
    /x.jsonl, line 4: expected JSON/,
  );
});

test('lines that are not UTF-8 are bad rows', async () => {
  const report = new RowReport();
  const bytes = Buffer.concat([Buffer.from('a\n'), Buffer.from([0xc3, 0x28, 10]), Buffer.from('b\n')]);
  expect(await textLineDataset(bytes, { onBadRow: 'skip', report }).toArray()).toEqual(['a', 'b']);
  expect(report.rows).toEqual([expect.objectContaining({ line: 2, reason: 'encoding' })]);
});

test('one folder a class', async () => {
  for (const [label, name, text] of [
    ['pos', '1.txt', 'good'],
    ['neg', '2.txt', 'bad'],
    ['neg', '1.txt', 'worse'],
    ['neg', 'notes.md', 'not a sample'],
  ] as const) {
    mkdirSync(join(folder, 'classes', label), { recursive: true });
    write(join('classes', label, name), text);
  }
  const found = await folderDataset(join(folder, 'classes')).toArray();
  expect(found.map(({ text, label, classIndex }) => [text, label, classIndex])).toEqual([
    ['worse', 'neg', 0],
    ['bad', 'neg', 0],
    ['good', 'pos', 1],
  ]);
  const files = [
    Object.defineProperty(new File(['good'], '1.txt'), 'webkitRelativePath', { value: 'classes/pos/1.txt' }),
    Object.defineProperty(new File(['bad'], '2.txt'), 'webkitRelativePath', { value: 'classes/neg/2.txt' }),
  ];
  expect((await folderDataset(files).toArray()).map((f) => f.label)).toEqual(['neg', 'pos']);
  await expect(folderDataset(join(folder, 'cache')).toArray()).rejects.toThrow(/folders of files that match/);
});

test('Parquet: from a path, a blob and bytes, some columns, in parts', async () => {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const n = 2500;
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'text', data: Array.from({ length: n }, (_, i) => `row ${i}`), type: 'STRING' },
        { name: 'label', data: Array.from({ length: n }, (_, i) => BigInt(i % 2)), type: 'INT64' },
      ],
      rowGroupSize: 1000,
    }),
  );
  const path = write('rows.parquet', bytes);
  for (const source of [path, new Blob([bytes]), bytes]) {
    const rows = await parquetDataset<{ text: string; label: number }>(source, { rowsPerRead: 700 }).toArray();
    expect(rows).toHaveLength(n);
    expect(rows[2001]).toEqual({ text: 'row 2001', label: 1 });
  }
  expect(
    (
      await parquetDataset(path, { columns: ['label'] })
        .take(1)
        .toArray()
    )[0],
  ).toEqual({ label: 0 });
  await expect(parquetDataset(path, { columns: ['none'] }).toArray()).rejects.toThrow(/a column "none"/);
  await expect(parquetDataset(bytesOf('no parquet at all')).toArray()).rejects.toThrow(/expected a Parquet file/);
});
