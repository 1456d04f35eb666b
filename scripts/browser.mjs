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

/**
 * Opens a page with a module script, which gives what it finds as `report([[what, ok], ...])`, in Chromium (CHROMIUM names the binary), and waits for that. Prints
 * what failed and `N passed, N failed`, and sets the exit code.
 * @param script the module
 * @param files what is served beside the packages, by paths
 * @param seconds how long it may take
 */
export async function checkInBrowser(script, files = {}, seconds = 90) {
  const page = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
const report = (results) => fetch('/result', { method: 'POST', body: JSON.stringify(results) });
addEventListener('error', (event) => report([[String(event.message), false]]));
addEventListener('unhandledrejection', (event) => report([[String(event.reason?.stack ?? event.reason), false]]));
${script}
</script>`;
  let deliver;
  const delivered = new Promise((resolve) => {
    deliver = resolve;
  });
  const server = createServer((request, response) => {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    const path = join(root, decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        response.end();
        deliver(JSON.parse(body));
      });
    } else if (Object.hasOwn(files, request.url)) response.end(files[request.url]);
    else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
    else if (path.startsWith(join(root, 'packages')) && /\.m?js$/.test(path) && existsSync(path))
      response.setHeader('content-type', 'text/javascript').end(readFileSync(path));
    else response.writeHead(404).end();
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
    { stdio: 'ignore' },
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
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  for (const [what, ok] of results) console[ok ? 'log' : 'error'](`${ok ? 'ok' : 'FAILED in the browser'}: ${what}`);
  const passed = results.filter(([, ok]) => ok).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exitCode = passed === results.length ? 0 : 1;
}
