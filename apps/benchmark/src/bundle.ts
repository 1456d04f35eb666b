import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** A page that trains W1. */
const PAGE = `import { Dense, Embedding, LSTM, Sequential, zeros } from 'recurra';
const model = new Sequential([new Embedding(10000, 32), new LSTM(32), new Dense(1, { activation: 'sigmoid' })]);
model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
model.fit(zeros([32, 100]), zeros([32, 1]), { epochs: 1 });
`;

interface Esbuild {
  build(options: object): Promise<{ outputFiles: { contents: Uint8Array }[] }>;
}

/** B1: the size of that page, bundled and minified, kernels included. esbuild is looked for where the JavaScript peers are. */
export async function bundle(): Promise<number> {
  const packages = process.env['BENCH_JS'] ?? join(process.cwd(), '.bench-env/js');
  let esbuild: Esbuild;
  try {
    esbuild = createRequire(join(packages, 'package.json'))('esbuild') as Esbuild;
  } catch {
    console.error(`bench: expected esbuild in ${packages} (BENCH_JS)`);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'recurra-bundle-'));
  try {
    writeFileSync(join(folder, 'page.js'), PAGE);
    const { outputFiles } = await esbuild.build({
      entryPoints: [join(folder, 'page.js')],
      nodePaths: [fileURLToPath(new URL('../node_modules', import.meta.url))],
      ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', write: false },
    });
    const { contents } = outputFiles[0]!;
    const kilobytes = (n: number): string => `${(n / 1000).toFixed(1)} kB`;
    console.log(
      `B1: minified ${kilobytes(contents.length)}, gzip ${kilobytes(gzipSync(contents, { level: 9 }).length)}, brotli ${kilobytes(brotliCompressSync(contents).length)}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}
