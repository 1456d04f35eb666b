import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { csvDataset, parquetDataset, ReadError, type ReadOptions, readBytes } from '../index.js';

const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 251));
const other = Buffer.from(body).fill(1, 100_000);
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const CUT = 70_000;

const folder = mkdtempSync(join(tmpdir(), 'recurra-download-'));
let server: Server;
let base: string;
/** How the next requests are answered, in turn; the last answers all that follow. */
let answers: ((request: IncomingMessage, response: ServerResponse) => void)[] = [];
let seen: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request);
    (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  seen = [];
});

type Headers = Record<string, string | number>;
const all =
  (bytes: Uint8Array, headers: Headers = {}) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes);
  };
/** Announces all, and breaks off after some bytes. */
const cut =
  (bytes: Uint8Array, headers: Headers = {}, at = CUT) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': bytes.length, ...headers });
    response.write(bytes.subarray(0, at), () => setTimeout(() => response.destroy(), 5));
  };
/** The part that was asked for, as RFC 9110 has it. */
const part =
  (bytes: Uint8Array, headers: Headers = {}) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
    const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    if (Number.isNaN(from)) all(bytes, headers)(request, response);
    else
      response
        .writeHead(206, { 'content-length': bytes.length - from, ...range, ...headers })
        .end(bytes.subarray(from));
  };

const read = async (options: ReadOptions = {}, path = '/file'): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const chunk of readBytes(base + path, { retryDelay: 1, decompress: 'none', ...options }))
    parts.push(chunk);
  return Buffer.concat(parts);
};
const ranges = (): (string | undefined)[] => seen.map((request) => request.headers.range);

describe('a transfer that broke off', () => {
  test.each<[string, Headers, string]>([
    ['an ETag', { etag: '"x"' }, '"x"'],
    ['Last-Modified', { 'last-modified': 'Thu, 26 Nov 2026 10:00:00 GMT' }, 'Thu, 26 Nov 2026 10:00:00 GMT'],
    [
      'a weak ETag beside Last-Modified',
      { etag: 'W/"x"', 'last-modified': 'Thu, 26 Nov 2026 10:00:00 GMT' },
      'Thu, 26 Nov 2026 10:00:00 GMT',
    ],
  ])('goes on where it was, by %s', async (_, headers, validator) => {
    answers = [cut(body, headers), part(body, headers)];
    expect((await read()).equals(body)).toBe(true);
    expect(seen[1]!.headers['if-range']).toBe(validator);
    expect(Number(/^bytes=(\d+)-$/.exec(ranges()[1]!)![1])).toBeGreaterThan(0);
  });

  test('more than once', async () => {
    const twice = (request: IncomingMessage, response: ServerResponse): void => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range!)![1]);
      response.writeHead(206, { 'content-range': `bytes ${from}-${from + 29_999}/${body.length}`, etag: '"x"' });
      response.end(body.subarray(from, from + 30_000));
    };
    answers = [cut(body, { etag: '"x"' }), twice, twice, part(body, { etag: '"x"' })];
    expect((await read()).equals(body)).toBe(true);
  });

  test.each<[string, Headers]>([
    ['from byte 0', { 'content-range': `bytes 0-${body.length - 1}/${body.length}` }],
    ['from another byte', { 'content-range': `bytes 7-${body.length - 1}/${body.length}` }],
    ['without Content-Range', { 'content-range': '' }],
    ['of a file of another length', { 'content-range': `bytes 1-2/${body.length + 1}` }],
    ['in other units', { 'content-range': 'lines 1-2/3' }],
    ['with another ETag', { etag: '"y"' }],
    ['encoded', { 'content-encoding': 'gzip' }],
  ])('is not spliced with a part %s: all is read again, and compared', async (_, wrong) => {
    const bad = (request: IncomingMessage, response: ServerResponse): void => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range!)![1]);
      const headers: Headers = {
        etag: '"x"',
        'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
        ...wrong,
      };
      if (headers['content-range'] === '') delete headers['content-range'];
      response.writeHead(206, headers).end(body);
    };
    answers = [cut(body, { etag: '"x"' }), bad, all(body, { etag: '"x"' })];
    expect((await read()).equals(body)).toBe(true);
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=/), undefined]);
  });

  test.each<[string, Headers, Uint8Array, Headers, RegExp]>([
    ['with another ETag', { etag: '"x"' }, other, { etag: '"y"' }, /ETag "y", before "x"/],
    ['with another ETag and the same bytes', { etag: '"x"' }, body, { etag: '"y"' }, /ETag "y"/],
    ['without an ETag', { etag: '"x"' }, body, {}, /without ETag/],
    [
      'changed later',
      { 'last-modified': 'Thu, 26 Nov 2026 10:00:00 GMT' },
      other,
      { 'last-modified': 'Fri, 27 Nov 2026 10:00:00 GMT' },
      /before Thu, 26/,
    ],
    ['with other bytes at its start, no validator', {}, Buffer.from(body).fill(3, 0, 9), {}, /its first bytes differ/],
    [
      'with other bytes at its start, a weak one',
      { etag: 'W/"x"' },
      Buffer.from(body).fill(3, 50_000, 50_001),
      { etag: 'W/"x"' },
      /its first bytes differ/,
    ],
    ['of another length', {}, body.subarray(0, 150_000), {}, /150000 bytes, before 200000/],
  ])('is not mixed with a file %s', async (_, before, bytes, after, message) => {
    answers = [cut(body, before), all(bytes, after)];
    await expect(read()).rejects.toThrow(message);
    answers = [cut(body, before), all(bytes, after)];
    await expect(read()).rejects.toThrow(/It has changed while it was read: read it again/);
    answers = [cut(body, before), all(bytes, after)];
    await expect(read()).rejects.toThrow(ReadError);
  });

  test.each<[string, Headers]>([
    ['a server that knows no parts', { etag: '"x"' }],
    ['a server without validators', {}],
    ['a server with weak ones', { etag: 'W/"x"' }],
  ])('begins anew with %s, and gives each byte once', async (_, headers) => {
    answers = [cut(body, headers), cut(body, headers, 120_000), all(body, headers)];
    expect((await read({ sha256: digest(body) })).equals(body)).toBe(true);
    if (headers['etag'] !== '"x"') expect(ranges()).toEqual([undefined, undefined, undefined]);
  });

  test('a file that has become shorter than what was read', async () => {
    const gone = (request: IncomingMessage, response: ServerResponse): void => {
      response
        .writeHead(request.headers.range ? 416 : 200, { etag: '"y"' })
        .end(request.headers.range ? '' : body.subarray(0, 9));
    };
    answers = [cut(body, { etag: '"x"' }), gone];
    await expect(read()).rejects.toThrow(/ETag "y", before "x"/);
  });

  test('an encoded transfer is not asked for parts: its bytes are counted otherwise', async () => {
    const encoded = gzipSync(Buffer.from(Array.from(body, (_, i) => (i * i * 7919) % 256)));
    const plain = Buffer.from(Array.from(body, (_, i) => (i * i * 7919) % 256));
    const headers = { 'content-encoding': 'gzip', etag: '"x"' };
    answers = [cut(encoded, headers, encoded.length - 20), all(encoded, headers)];
    expect((await read()).equals(plain)).toBe(true);
    expect(ranges()).toEqual([undefined, undefined]);
  });

  test('before its first byte, a new file is a new beginning', async () => {
    answers = [cut(body, { etag: '"x"' }, 0), all(other, { etag: '"y"' })];
    expect((await read()).equals(other)).toBe(true);
  });

  test('rows are neither lost nor doubled', async () => {
    const csv = Buffer.from(`n\n${Array.from({ length: 20_000 }, (_, i) => i).join('\n')}\n`);
    const zero = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(206, { 'content-range': `bytes 0-${csv.length - 1}/${csv.length}`, etag: '"x"' }).end(csv);
    };
    answers = [cut(csv, { etag: '"x"' }), zero, part(csv, { etag: '"x"' })];
    const rows = await csvDataset(`${base}/rows`, { numeric: 'all', retryDelay: 1 }).toArray();
    expect(rows.map((row) => row['n'])).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  });
});

test.each([201, 204, 206, 304])('an answer %d to a plain request is not the file', async (status) => {
  answers = [(_, response) => response.writeHead(status).end()];
  await expect(read()).rejects.toThrow(new RegExp(`expected the file, received status ${status}`));
  expect(seen).toHaveLength(1);
});

describe('a server that stalls', () => {
  const silent = (): void => {};
  const half = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': body.length, etag: '"x"' });
    response.write(body.subarray(0, CUT));
  };

  test('before it answers, or in the middle, is told after the timeout', async () => {
    answers = [silent];
    await expect(read({ timeout: 30, retries: 1 })).rejects.toThrow(/received nothing for 30 ms \(tried 2 times\)/);
    expect(seen).toHaveLength(2);
    answers = [half];
    await expect(read({ timeout: 30, retries: 0 })).rejects.toThrow(
      /the whole file, received nothing for 30 ms \(tried 1 times\)/,
    );
    await expect(read({ timeout: 30, retries: 0 })).rejects.toThrow(ReadError);
  });

  test('is asked again, and the transfer goes on', async () => {
    answers = [silent, half, part(body, { etag: '"x"' })];
    expect((await read({ timeout: 40 })).equals(body)).toBe(true);
  });

  test('a response and a stream', async () => {
    answers = [half];
    const drain = async (source: Parameters<typeof readBytes>[0], options: ReadOptions): Promise<void> => {
      for await (const _ of readBytes(source, options)) await Promise.resolve();
    };
    await expect(drain(await fetch(`${base}/file`), { timeout: 30 })).rejects.toThrow(
      /expected more bytes, received nothing for 30 ms/,
    );
    await expect(drain(new ReadableStream(), { timeout: 20, name: 'mine' })).rejects.toThrow(
      /mine: expected more bytes/,
    );
  });

  test('a reader that is slow is no stalled server', async () => {
    answers = [all(body)];
    let n = 0;
    for await (const chunk of readBytes(`${base}/file`, { timeout: 200 })) {
      if (n === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      n += chunk.length;
    }
    expect(n).toBe(body.length);
  });
});

describe('options', () => {
  test.each<[string, ReadOptions, RegExp]>([
    ['retries', { retries: Number.NaN }, /retries to be an integer >= 0, received NaN/],
    ['retries', { retries: -1 }, /received -1/],
    ['retries', { retries: Infinity }, /received Infinity/],
    ['retries', { retries: 1.5 }, /received 1.5/],
    ['retries', { retries: '3' as never }, /retries/],
    ['retryDelay', { retryDelay: Number.NaN }, /retryDelay/],
    ['retryDelay', { retryDelay: -1 }, /retryDelay/],
    ['retryDelay', { retryDelay: Infinity }, /retryDelay/],
    ['timeout', { timeout: 0 }, /timeout to be a number of milliseconds > 0, or Infinity, received 0/],
    ['timeout', { timeout: Number.NaN }, /timeout/],
    ['timeout', { timeout: -5 }, /timeout/],
    ['cache', { cache: '' }, /cache/],
    ['headers', { headers: { Range: 'bytes=0-9' } }, /without Range and If-Range/],
    ['headers', { headers: { 'if-range': '"x"' } }, /without Range/],
    ['headers', { headers: { 'a b': 'c' } }, /headers of a request/],
    ['decompress', { decompress: 'gzip' as never }, /'auto' or 'none', received gzip/],
    ['sha256', { sha256: 7 as never }, /sha256/],
    ['signal', { signal: new AbortController() as never }, /`signal`/],
    ['onProgress', { onProgress: true as never }, /onProgress/],
  ])('%s that make no sense are refused, for every source: %o', async (option, options, message) => {
    answers = [all(body)];
    await expect(read(options)).rejects.toThrow(message);
    expect(seen).toHaveLength(0);
    if (options.headers && 'a b' in options.headers) return;
    const drain = async (): Promise<void> => {
      for await (const _ of readBytes(body, { decompress: 'none', ...options })) await Promise.resolve();
    };
    await expect(drain()).rejects.toThrow(option);
  });

  test('a URL that does not parse is told at once', async () => {
    const drain = async (): Promise<void> => {
      for await (const _ of readBytes('http://')) await Promise.resolve();
    };
    await expect(drain()).rejects.toThrow(/a URL, received one that does not parse/);
  });

  test('retries: 0 asks once; the wait has a bound', async () => {
    answers = [(_, response) => response.writeHead(503).end()];
    await expect(read({ retries: 0 })).rejects.toThrow(/status 503 .*tried 1 times/);
    expect(seen).toHaveLength(1);
  });
});

describe('a signal ends reading at once', () => {
  const after = async (ms: number, run: (signal: AbortSignal) => Promise<unknown>): Promise<number> => {
    const controller = new AbortController();
    const start = performance.now();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), ms);
    await expect(run(controller.signal)).rejects.toBe(reason);
    return performance.now() - start - ms;
  };
  const drain = async (source: Parameters<typeof readBytes>[0], options: ReadOptions): Promise<void> => {
    for await (const _ of readBytes(source, options)) await Promise.resolve();
  };

  test('in the wait before a repetition', async () => {
    answers = [(_, response) => response.writeHead(503).end()];
    expect(await after(30, (signal) => read({ signal, retryDelay: 30_000 }))).toBeLessThan(1000);
  });

  test('in a request that is not answered, and in a body that stalls', async () => {
    answers = [() => {}];
    expect(await after(30, (signal) => read({ signal }))).toBeLessThan(1000);
    answers = [(_, response) => response.writeHead(200, { 'content-length': 9 }).write('abc')];
    expect(await after(30, (signal) => read({ signal }))).toBeLessThan(1000);
    expect(await after(30, (signal) => read({ signal, cache: join(folder, 'aborted') }))).toBeLessThan(1000);
    expect(readdirSync(join(folder, 'aborted'))).toEqual([]);
  });

  test('in any source, gzip or not, also one that ignores it', async () => {
    const zipped = gzipSync(body);
    async function* stalls(first: Uint8Array): AsyncGenerator<Uint8Array> {
      yield first;
      await new Promise(() => {});
    }
    for (const source of [
      stalls(body),
      stalls(zipped.subarray(0, 2000)),
      new ReadableStream<Uint8Array>(),
      new Response(new ReadableStream()),
    ])
      expect(await after(20, (signal) => drain(source, { signal }))).toBeLessThan(1000);
  });

  test('before anything is read', async () => {
    const signal = AbortSignal.abort(new Error('already'));
    answers = [all(body)];
    await expect(read({ signal })).rejects.toThrow('already');
    expect(seen).toHaveLength(0);
    for (const source of [body, new Blob([body]), join(folder, 'absent'), new Response('x')])
      await expect(drain(source, { signal })).rejects.toThrow('already');
  });
});

describe('the cache', () => {
  let cache: string;
  let n = 0;
  beforeEach(() => {
    cache = join(folder, `cache${n++}`);
  });
  const kept = (): string[] => readdirSync(cache).map((name) => join(cache, name));

  test('gives each set of headers its own file', async () => {
    answers = [
      (request, response) =>
        response.end(`for ${request.headers.authorization ?? 'nobody'} ${request.headers['x-a'] ?? ''}`),
    ];
    const as = async (headers?: Record<string, string>): Promise<string> =>
      (await read({ cache, ...(headers ? { headers } : {}) })).toString();
    for (let pass = 0; pass < 2; pass++) {
      expect(await as({ Authorization: 'Bearer alice' })).toBe('for Bearer alice ');
      expect(await as({ Authorization: 'Bearer bob' })).toBe('for Bearer bob ');
      expect(await as()).toBe('for nobody ');
      expect(await as({ 'x-a': '1', Authorization: 'Bearer bob' })).toBe('for Bearer bob 1');
    }
    expect(seen).toHaveLength(4);
    // Names of headers have no case, and no order.
    await as({ authorization: 'Bearer bob', 'X-A': '1' });
    expect(seen).toHaveLength(4);
  });

  test.each<[string, (file: string) => void]>([
    ['cut short', (file) => truncateSync(file, 1000)],
    ['emptied', (file) => truncateSync(file, 0)],
    ['longer', (file) => writeFileSync(file, Buffer.concat([body, body]))],
    [
      'with one bit flipped',
      (file) => {
        const bytes = readFileSync(file);
        bytes[5000]! ^= 1;
        writeFileSync(file, bytes);
        utimesSync(file, new Date(), new Date());
      },
    ],
    ['replaced', (file) => writeFileSync(file, 'garbage')],
    ['deleted', (file) => rmSync(file)],
  ])('fetches again what is %s', async (_, damage) => {
    answers = [all(body)];
    expect((await read({ cache })).equals(body)).toBe(true);
    expect((await read({ cache })).equals(body)).toBe(true);
    expect(seen).toHaveLength(1);
    damage(kept()[0]!);
    expect((await read({ cache })).equals(body)).toBe(true);
    expect(seen).toHaveLength(2);
    expect((await read({ cache })).equals(body)).toBe(true);
    expect(seen).toHaveLength(2);
    expect(kept()).toHaveLength(1);
  });

  test('fetches again what has not the checksum that is asked for', async () => {
    answers = [all(body), all(other)];
    await read({ cache });
    expect((await read({ cache, sha256: digest(other).toUpperCase() })).equals(other)).toBe(true);
    expect(seen).toHaveLength(2);
    expect(kept()).toHaveLength(1);
    await expect(read({ cache, sha256: digest(body) })).rejects.toThrow(/expected SHA-256/);
    expect((await read({ cache, sha256: digest(other) })).equals(other)).toBe(true);
    expect(seen).toHaveLength(3);
  });

  test('keeps nothing of a transfer that failed, and whole files of those at the same time', async () => {
    answers = [cut(body)];
    await expect(read({ cache, retries: 1 })).rejects.toThrow(/tried 2 times/);
    expect(kept()).toEqual([]);
    answers = [all(body)];
    const many = await Promise.all(Array.from({ length: 4 }, () => read({ cache })));
    expect(many.every((bytes) => bytes.equals(body))).toBe(true);
    expect(kept()).toHaveLength(1);
  });

  test('sweeps up after processes that were killed', async () => {
    answers = [all(body)];
    await read({ cache });
    const key = readdirSync(cache)[0]!.split('.')[0]!;
    writeFileSync(join(cache, `${key}.old.part`), 'x');
    utimesSync(join(cache, `${key}.old.part`), 0, 0);
    writeFileSync(join(cache, `${key}.new.part`), 'x');
    writeFileSync(join(cache, `another.old.part`), 'x');
    utimesSync(join(cache, `another.old.part`), 0, 0);
    for (const file of kept()) if (!file.endsWith('.part')) rmSync(file);
    await read({ cache });
    expect(readdirSync(cache).filter((name) => name.endsWith('.part'))).toEqual(
      [`${key}.new.part`, 'another.old.part'].sort(),
    );
  });

  test('a folder that is none is told', async () => {
    answers = [all(body)];
    writeFileSync(join(folder, 'a file'), '');
    await expect(read({ cache: join(folder, 'a file') })).rejects.toThrow(/a folder for its copy/);
    await expect(read({ cache: join(folder, 'a file', 'within') })).rejects.toThrow(ReadError);
  });

  test('progress is told once', async () => {
    answers = [all(body)];
    for (let pass = 0; pass < 2; pass++) {
      const bytes: number[] = [];
      await read({ cache, onProgress: (p) => bytes.push(p.bytes) });
      expect(bytes.at(-1)).toBe(body.length);
      expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    }
  });
});

test('what a platform says about a source has its name', async () => {
  const failing = new ReadableStream<Uint8Array>({
    pull() {
      throw new Error('cable cut');
    },
  });
  const drain = async (source: Parameters<typeof readBytes>[0]): Promise<void> => {
    for await (const _ of readBytes(source, { name: 'mine' })) await Promise.resolve();
  };
  await expect(drain(failing)).rejects.toThrow(/mine: expected bytes that can be read, received cable cut/);
  await expect(drain(new ReadableStream({ start: (c) => c.enqueue('text' as never) }))).rejects.toThrow(
    /mine: expected bytes .* received text: encode it/,
  );
  await expect(drain('file:///absent/file')).rejects.toThrow(/no such file/);
  await expect(drain(null as never)).rejects.toThrow(/received \[object Null\]/);
  expect(() => parquetDataset(body, { retries: Number.NaN })).toThrow(/retries/);
});
