/** What the checks in a browser share: the built packages are served as they are (ES modules, no bundler), to a page that is cross-origin isolated. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './setup.mjs';

const names = readdirSync(join(root, 'packages')).filter((name) => name !== 'testing');
const foreign = '/packages/preprocessing/node_modules';
const ofFormats = '/packages/formats/node_modules';
const imports = {
  ...Object.fromEntries(
    names.flatMap((name) => {
      const specifier = name === 'recurra' ? name : `@recurra/${name}`;
      return [
        [specifier, `/packages/${name}/dist/index.js`],
        [`${specifier}/extend`, `/packages/${name}/dist/extend.js`],
      ];
    }),
  ),
  '@noble/hashes/': `${foreign}/@noble/hashes/`,
  valibot: `${foreign}/valibot/dist/index.mjs`,
  leven: '/packages/tensor/node_modules/leven/index.js',
  'idb-keyval': '/packages/layers/node_modules/idb-keyval/dist/index.js',
  fflate: `${ofFormats}/fflate/esm/browser.js`,
  h5wasm: `${ofFormats}/h5wasm/dist/esm/hdf5_hl.js`,
  '@bufbuild/protobuf': `${ofFormats}/@bufbuild/protobuf/dist/esm/index.js`,
  '@bufbuild/protobuf/wkt': `${ofFormats}/@bufbuild/protobuf/dist/esm/wkt/index.js`,
};

/** A page with a module script, before which `report` is there. */
export const pageOf = (script, head = '') => `<!doctype html><meta charset="utf-8">${head}
<script type="module">
const report = (results) => fetch('/result', { method: 'POST', body: JSON.stringify(results) });
addEventListener('error', (event) => report([[String(event.message), false]]));
addEventListener('unhandledrejection', (event) => report([[String(event.reason?.stack ?? event.reason), false]]));
globalThis.report = report;
${script}
</script>`;

/**
 * Opens a page with a module script, which gives what it finds as `report([[what, ok], ...])`, in Chromium (CHROMIUM names the binary), and waits for that. Prints
 * what failed and `N passed, N failed`, and sets the exit code.
 * @param script the module
 * @param files what is served beside the packages, by paths
 * @param seconds how long it may take
 */
export async function checkInBrowser(script, files = {}, seconds = 90) {
  const page = pageOf(script, `<script type="importmap">${JSON.stringify({ imports })}</script>`);
  const serve = (path) => {
    if (Object.hasOwn(files, path)) return { content: files[path] };
    const file = join(root, path);
    return file.startsWith(join(root, 'packages')) && /\.m?js$/.test(file) && existsSync(file)
      ? { content: readFileSync(file), type: 'text/javascript' }
      : null;
  };
  const results = await openInBrowser(page, serve, seconds);
  for (const [what, ok] of results) console[ok ? 'log' : 'error'](`${ok ? 'ok' : 'FAILED in the browser'}: ${what}`);
  const passed = results.filter(([, ok]) => ok).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exitCode = passed === results.length ? 0 : 1;
}

/**
 * Opens a page in Chromium, cross-origin isolated. Resolves to what it reports, or to one failure that says why it did not.
 * @param {string} page
 * @param {(path: string) => { content: string | Uint8Array, type?: string } | null} serve what lies beside it
 * @param {number} seconds how long it may take
 * @returns {Promise<[string, boolean][]>}
 */
export async function openInBrowser(page, serve, seconds) {
  let deliver;
  const delivered = new Promise((resolve) => {
    deliver = resolve;
  });
  const server = createServer((request, response) => {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        response.end();
        deliver(JSON.parse(body));
      });
      return;
    }
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const found = path === '/' ? { content: page, type: 'text/html' } : serve(path);
    if (!found) response.writeHead(404);
    else if (found.type) response.setHeader('content-type', found.type);
    response.end(found?.content);
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });

  const profile = mkdtempSync(join(tmpdir(), 'recurra-browser-'));
  const flags =
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
  const browser = spawn(
    process.env.CHROMIUM ?? 'chromium',
    [...flags.split(' '), `--user-data-dir=${profile}`, `http://127.0.0.1:${server.address().port}/`],
    // A group of its own: the processes that it starts end with it.
    { stdio: 'ignore', detached: true },
  );
  const gone = new Promise((resolve) => {
    browser.on('error', (error) => resolve([[`the browser did not start: ${error.message}`, false]]));
    browser.on('exit', (code) => resolve([[`the browser ended with code ${code}`, false]]));
  });
  const late = new Promise((resolve) => {
    setTimeout(() => resolve([[`no result within ${seconds} seconds`, false]]), seconds * 1000).unref();
  });
  const results = await Promise.race([delivered, gone, late]);
  browser.kill();
  await gone;
  try {
    process.kill(-browser.pid, 'SIGKILL');
  } catch {
    // All of them have ended, or it did not start.
  }
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  return results;
}
