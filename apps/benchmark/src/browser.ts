import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, table } from './report.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Chromium without anything that would reach out for a network. */
const FLAGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** The page: builds each workload, trains and predicts for a while, and posts the fastest times. */
function page(workloads: readonly string[], threads: readonly number[]): string {
  const names = readdirSync(join(root, 'packages')).filter((name) => name !== 'testing');
  const imports = {
    ...Object.fromEntries(
      names.map((name) => [name === 'recurra' ? name : `@recurra/${name}`, `/packages/${name}/dist/index.js`]),
    ),
    '@noble/hashes/': '/packages/preprocessing/node_modules/@noble/hashes/',
  };
  return `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
const report = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
addEventListener('error', (event) => report({ error: String(event.message) }));
addEventListener('unhandledrejection', (event) => report({ error: String(event.reason) }));
const { setThreads, threads } = await import('recurra');
const { build } = await import('/apps/benchmark/dist/models.js');
const fastest = async (f) => {
  for (let i = 0; i < 5; i++) await f();
  let best = Infinity;
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const begin = performance.now();
    await f();
    best = Math.min(best, performance.now() - begin);
  }
  return best;
};
const rows = [];
for (const count of ${JSON.stringify(threads)}) {
  await setThreads(count);
  for (const name of ${JSON.stringify(workloads)}) {
    const model = build(name);
    rows.push({ name, threads: threads().count, train: model.train && (await fastest(model.train)), predict: await fastest(model.predict) });
  }
}
await report({ rows, agent: navigator.userAgent, isolated: crossOriginIsolated });
</script>`;
}

interface Result {
  readonly error?: string;
  readonly rows?: readonly { name: string; threads: number; train?: number; predict: number }[];
  readonly agent?: string;
  readonly isolated?: boolean;
}

/** Measures workloads in Chromium (CHROMIUM names the binary), in a page that is cross-origin isolated. */
export async function browser(workloads: readonly string[], threads: readonly number[]): Promise<number> {
  let deliver: (result: Result) => void = () => {};
  const delivered = new Promise<Result>((resolve) => {
    deliver = resolve;
  });
  const html = page(workloads, threads);
  const server = createServer((request, response) => {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    const path = join(root, decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        response.end();
        deliver(JSON.parse(body) as Result);
      });
    } else if (request.url === '/') response.setHeader('content-type', 'text/html').end(html);
    else if (path.endsWith('.js') && existsSync(path))
      response.setHeader('content-type', 'text/javascript').end(readFileSync(path));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const profile = mkdtempSync(join(tmpdir(), 'recurra-bench-'));
  const { port } = server.address() as AddressInfo;
  const child = spawn(
    process.env['CHROMIUM'] ?? 'chromium',
    [...FLAGS.split(' '), `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`],
    { stdio: 'ignore' },
  );
  const gone = new Promise<Result>((resolve) => {
    child.on('error', (error) => resolve({ error: `the browser did not start: ${error.message}` }));
    child.on('exit', (code) => resolve({ error: `the browser ended with code ${code}` }));
  });
  const { error, rows = [], agent = '', isolated } = await Promise.race([delivered, gone]);
  child.kill();
  await gone;
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  if (error) {
    console.error(`bench: ${error}`);
    return 1;
  }
  console.log(
    `### ${/Chrome\/[\d.]+/.exec(agent)?.[0] ?? agent}${isolated ? ', cross-origin isolated' : ''}: milliseconds (fastest)\n\n${table(
      ['', 'threads', 'train', 'predict'],
      rows.map((r) => [r.name, String(r.threads), format(r.train), format(r.predict)]),
    )}`,
  );
  return 0;
}
