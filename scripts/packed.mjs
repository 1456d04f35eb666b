/** What checks of packed packages share: all that are published, packed, and a registry on this machine that installers of npm and pnpm take them from. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { pnpmCommand, root } from './setup.mjs';

/**
 * Runs a command while this process goes on. Resolves to its exit code (or signal) and what it wrote.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').ExecFileOptions} options
 * @returns {Promise<{ status: number | string, stdout: string, stderr: string }>}
 */
export function exec(command, args, options = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, npm_config_update_notifier: 'false', ...options.env };
    const settings = { timeout: 180_000, maxBuffer: 2 ** 26, ...options, env };
    execFile(command, args, settings, (error, stdout, stderr) =>
      resolve({ status: error ? (error.signal ?? error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

/**
 * Packs every package that is published, the binaries of all platforms too (of those that were not built here there is only a description).
 * @param {string} to a folder
 * @returns {{ name: string, filename: string }[]}
 */
export function packAll(to) {
  const packed = (command, args) => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}${stdout}`);
    return JSON.parse(stdout).map(({ name, filename }) => ({ name, filename: join(to, basename(filename)) }));
  };
  const [pnpm, ...first] = pnpmCommand();
  const which = ['-r', '--filter', './packages/*', '--filter', '!@recurra/testing'];
  const platforms = readdirSync(join(root, 'packages/native/npm')).map((name) => `./packages/native/npm/${name}`);
  return [
    ...packed(pnpm, [...first, ...which, 'pack', '--pack-destination', to, '--json']),
    ...packed('npm', ['pack', '--json', '--pack-destination', to, ...platforms]),
  ];
}

/**
 * A registry of packed packages, which knows nothing else.
 * @param {readonly { filename: string }[]} packages
 * @returns {Promise<{ url: string, versions: Map<string, string>, close(): void }>}
 */
export async function serve(packages) {
  const known = new Map();
  for (const { filename } of packages) {
    const { stdout } = spawnSync('tar', ['-xOf', filename, 'package/package.json'], { encoding: 'utf8' });
    const manifest = JSON.parse(stdout);
    const bytes = readFileSync(filename);
    known.set(manifest.name, {
      manifest,
      bytes,
      integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    });
  }
  const server = createServer((request, response) => {
    const [name, file] = decodeURIComponent(request.url.slice(1)).split('/-/');
    const found = known.get(name);
    if (!found) response.writeHead(404).end('{}');
    else if (file) response.end(found.bytes);
    else {
      const { manifest, integrity } = found;
      const dist = { integrity, tarball: `${url}${name}/-/package.tgz` };
      const versions = { [manifest.version]: { ...manifest, dist } };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, 'dist-tags': { latest: manifest.version }, versions }));
    }
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${server.address().port}/`;
  return {
    url,
    versions: new Map([...known].map(([name, { manifest }]) => [name, manifest.version])),
    close: () => server.close(),
  };
}

/**
 * Writes the description of an empty project, whose packages of `@recurra` come from a registry.
 * @param {string} folder
 * @param {string} url
 * @param {Record<string, string>} dependencies
 */
export function describeProject(folder, url, dependencies) {
  writeFileSync(join(folder, '.npmrc'), `@recurra:registry=${url}\n`);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'use', private: true, type: 'module', dependencies }, null, 2),
  );
}
