import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadKernels, PROTOCOL, SCRATCH_BYTES } from '@recurra/kernels';
import { randomKey, randomNormal, type Tensor, tensor, zeros } from '@recurra/tensor';
import { engine, jit, setEngine, setThreadedWork, setThreads, Variable } from '../index.js';
import type { NativeModule } from './native.js';

/** A native engine that lets the kernels of WebAssembly do the work, and counts. */
class Fake implements NativeModule {
  protocol = PROTOCOL;
  readonly description = 'a stand-in';
  readonly calls: string[] = [];
  size(): number {
    return 64;
  }
  runNow(memory: Uint8Array, start: number, end: number, control: number): void {
    const { heap, exports, scratch } = loadKernels();
    expect(memory.buffer).toBe(heap.memory.buffer);
    this.calls.push('now');
    exports.run(start, end, 0, 1, control, scratch, SCRATCH_BYTES);
  }
  async run(memory: Uint8Array, start: number, end: number, control: number, threads: number): Promise<void> {
    this.runNow(memory, start, end, control);
    this.calls[this.calls.length - 1] = `${threads} threads`;
  }
  endThreads(): void {
    this.calls.push('end');
  }
}

const builtin = process.getBuiltinModule;
const folders: string[] = [];

/** A folder where a package of this code is installed; none: an empty one. Each is new: what was looked for in one is remembered. */
function installed(code: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-engines-'));
  folders.push(folder);
  if (code === null) return folder;
  const at = join(folder, 'node_modules/@recurra/native');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), '{ "name": "@recurra/native", "version": "1.0.0", "main": "index.js" }');
  writeFileSync(join(at, 'index.js'), code);
  return folder;
}

/** Where the tests run, the repository's own package may be found from every folder (NODE_PATH): a program finds what is in its own. */
beforeEach(() => {
  const { createRequire } = builtin('node:module');
  const requireFrom = (file: string) => {
    const require = createRequire(file);
    return (id: string) => {
      if (existsSync(join(dirname(file), 'node_modules', id))) return require(id);
      throw Object.assign(new Error(`Cannot find module '${id}'`), { code: 'MODULE_NOT_FOUND' });
    };
  };
  jest
    .spyOn(process, 'getBuiltinModule')
    .mockImplementation(((id: string) =>
      id === 'node:module' ? { createRequire: requireFrom } : builtin.call(process, id)) as never);
});

/** The modules anew, as if a program began where a package of this code is installed (or none is). */
async function fresh(environment?: string, code: string | null = null) {
  const folder = installed(code);
  jest.spyOn(process, 'cwd').mockReturnValue(folder);
  if (environment === undefined) delete process.env['RECURRA_ENGINE'];
  else process.env['RECURRA_ENGINE'] = environment;
  let found: (typeof import('../index.js') & Pick<typeof import('@recurra/tensor'), 'tensor'>) | undefined;
  await jest.isolateModulesAsync(async () => {
    const compiler = await import('../index.js');
    const { tensor } = await import('@recurra/tensor');
    found = { ...compiler, tensor };
  });
  return found!;
}

afterEach(() => {
  jest.restoreAllMocks();
  delete process.env['RECURRA_ENGINE'];
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

test('where the package is not installed, auto is wasm in silence, and native is a clear error', async () => {
  const warnings = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'error')];
  const compiler = await fresh();
  expect(compiler.engine()).toEqual({ name: 'wasm', reason: 'auto: @recurra/native is not installed' });
  const step = compiler.jit((x: Tensor) => x.mul(2), { name: 'double' });
  expect(step.explain(compiler.tensor([1]))).toContain('engine: wasm (auto: @recurra/native is not installed)');
  await expect(compiler.setEngine('native')).rejects.toThrow(
    "setEngine('native'): expected the native engine, but @recurra/native is not installed. Install it beside recurra (npm install @recurra/native), or choose 'auto' or 'wasm'.",
  );
  await expect(compiler.setEngine('native')).rejects.toBeInstanceOf(compiler.EngineError);
  // It stayed as it was.
  expect(compiler.engine().name).toBe('wasm');
  expect(await compiler.setEngine('wasm')).toEqual({ name: 'wasm', reason: "setEngine('wasm')" });
  for (const warning of warnings) expect(warning).not.toHaveBeenCalled();
});

test('the environment chooses until the program does; what it says wrong is told', async () => {
  expect((await fresh('wasm')).engine()).toEqual({ name: 'wasm', reason: 'RECURRA_ENGINE=wasm' });
  const compiler = await fresh('native');
  expect(() => compiler.engine()).toThrow(
    /^RECURRA_ENGINE=native: expected the native engine, but @recurra\/native is not/,
  );
  await expect(compiler.jit((x: Tensor) => x.mul(2))(compiler.tensor([1]))).rejects.toThrow(
    /RECURRA_ENGINE=native: expected/,
  );
  await compiler.setEngine('wasm');
  expect(compiler.engine().name).toBe('wasm');
  await expect(fresh('cuda').then((c) => c.engine())).rejects.toThrow(
    "RECURRA_ENGINE: expected 'auto', 'wasm', 'native', received 'cuda'",
  );
  expect((await fresh('')).engine().name).toBe('wasm');
  for (const wrong of ['cuda', 'WASM', null, undefined, 1])
    await expect(compiler.setEngine(wrong as never)).rejects.toThrow(
      /^setEngine: expected 'auto', 'wasm', 'native', received /,
    );
});

test('a package that does not load, or is of another version, is passed over in auto and told in native', async () => {
  const broken = await fresh(undefined, "throw new Error('GLIBC_2.99 not found')");
  expect(broken.engine()).toEqual({
    name: 'wasm',
    reason: 'auto: @recurra/native does not load: GLIBC_2.99 not found',
  });
  await expect(broken.setEngine('native')).rejects.toThrow(/@recurra\/native does not load: GLIBC_2\.99 not found/);
  // A binary of it that is not there.
  expect((await fresh(undefined, "require('./missing.node')")).engine().reason).toMatch(
    /does not load: Cannot find module '\.\/missing\.node'/,
  );
  // What no installation mends.
  for (const [code, remedy] of [
    ['ERR_DLOPEN_DISABLED', /Let Node load addons \(.*--no-addons/],
    ['ERR_REQUIRE_ESM', /Take Node 20\.19, 22\.12 or later/],
    ['ERR_DLOPEN_FAILED', /Install @recurra\/native anew/],
  ] as const) {
    const refused = await fresh(undefined, `throw Object.assign(new Error('no'), { code: '${code}' })`);
    await expect(refused.setEngine('native')).rejects.toThrow(/does not load: no\. /);
    await expect(refused.setEngine('native')).rejects.toThrow(remedy);
  }
  const old = await fresh(undefined, "module.exports = { protocol: 'older' }");
  expect(old.engine().reason).toBe(
    `auto: @recurra/native is of another version: it knows commands older, this one ${PROTOCOL}`,
  );
  await expect(old.setEngine('native')).rejects.toThrow(
    /of another version.*\. Install recurra and @recurra\/native of the same version, or choose 'auto' or 'wasm'\.$/,
  );
});

test('a native engine that WebAssembly outruns is left by auto, and there for who asks', async () => {
  const slow = `module.exports = { protocol: '${PROTOCOL}', description: 'portable, 2 cores', slower: 'this processor has no AVX2' }`;
  const compiler = await fresh(undefined, slow);
  expect(compiler.engine()).toEqual({ name: 'wasm', reason: 'auto: this processor has no AVX2' });
  expect(await compiler.setEngine('native')).toEqual({
    name: 'native',
    reason: "setEngine('native'): portable, 2 cores",
  });
  expect((await compiler.setEngine('auto')).name).toBe('wasm');
  expect((await fresh('auto', slow)).engine().reason).toBe('RECURRA_ENGINE=auto: this processor has no AVX2');
});

test('a wrong RECURRA_SIMD is told as such', async () => {
  const wrong = await fresh(
    undefined,
    "throw new Error('RECURRA_SIMD: expected one of avx2, portable, received neon')",
  );
  expect(wrong.engine().name).toBe('wasm');
  await expect(wrong.setEngine('native')).rejects.toThrow(
    /received neon\. Leave RECURRA_SIMD out, or choose 'auto' or 'wasm'\.$/,
  );
});

test('pages have no Node to ask: there is no native engine, and nobody looks for one', async () => {
  jest.spyOn(process, 'getBuiltinModule').mockImplementation(() => undefined as never);
  const page = await fresh(undefined, "throw new Error('nobody looks')");
  expect(page.engine()).toEqual({
    name: 'wasm',
    reason: 'auto: @recurra/native needs Node, Deno or Bun, and this is none of them',
  });
  await expect(page.setEngine('native')).rejects.toThrow(/none of them\. Choose 'auto' or 'wasm'\.$/);
});

test('bundlers for browsers take a file that looks for nothing', async () => {
  const { browser } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
  expect(browser).toEqual({ './dist/engines/load.js': './dist/engines/load-browser.js' });
  const [found, instead] = [await import('./load.js'), await import('./load-browser.js')];
  expect(Object.keys(instead).sort()).toEqual(Object.keys(found).sort());
  expect(instead.NATIVE_PACKAGE).toBe(found.NATIVE_PACKAGE);
  expect(instead.loadNative()).toEqual({ reason: expect.stringMatching(/bundled for browsers$/), remedy: '' });
  expect(instead.environmentVariable('PATH')).toBeUndefined();
});

describe('Deno tells only what it is allowed to, and nobody asks its user', () => {
  const grant = (...names: string[]) =>
    Object.assign(globalThis, {
      Deno: {
        permissions: {
          querySync: ({ name }: { name: string }) => ({ state: names.includes(name) ? 'granted' : 'prompt' }),
        },
      },
    });
  afterEach(() => Reflect.deleteProperty(globalThis, 'Deno'));

  test('without the right to read the environment it is not read', async () => {
    grant('read', 'ffi');
    expect((await fresh('cuda')).engine().name).toBe('wasm');
    grant('env');
    await expect(fresh('cuda').then((c) => c.engine())).rejects.toThrow(/received 'cuda'/);
  });

  test.each([[[]], [['env', 'read']], [['env', 'ffi']], [['read', 'ffi']]])(
    'with %j alone, auto is wasm and native says which are needed',
    async (names) => {
      grant(...names);
      const compiler = await fresh(undefined, "throw new Error('nobody looks')");
      expect(compiler.engine().reason).toBe('auto: Deno was not given the rights to load @recurra/native');
      await expect(compiler.setEngine('native')).rejects.toThrow(
        /Run with --allow-read, --allow-ffi and --allow-env, or choose 'auto' or 'wasm'\.$/,
      );
    },
  );

  test('with all of them it is loaded', async () => {
    grant('env', 'read', 'ffi');
    expect((await fresh(undefined, "throw new Error('looked')")).engine().reason).toMatch(/does not load: looked$/);
  });
});

test('a working directory that is gone is none to look in', async () => {
  const compiler = await fresh();
  jest.spyOn(process, 'cwd').mockImplementation(() => {
    throw new Error('ENOENT: uv_cwd');
  });
  expect(compiler.engine().reason).toBe('auto: @recurra/native is not installed');
});

test.each(['-', 'x'])(
  'a program without a file, whose arguments begin with %s, looks in the working directory',
  async (argument) => {
    const program = process.argv[1]!;
    process.argv[1] = argument;
    try {
      expect((await fresh()).engine().reason).toBe('auto: @recurra/native is not installed');
      expect((await fresh(undefined, "throw new Error('found')")).engine().reason).toMatch(/does not load: found$/);
    } finally {
      process.argv[1] = program;
    }
  },
);

test('a program that is started through a link finds what is installed where that leads', async () => {
  const compiler = await fresh();
  const [folder, elsewhere] = [installed("throw new Error('found')"), installed(null)];
  writeFileSync(join(folder, 'program.js'), '');
  const link = join(elsewhere, 'program');
  symlinkSync(join(folder, 'program.js'), link);
  const program = process.argv[1]!;
  process.argv[1] = link;
  try {
    expect(compiler.engine().reason).toMatch(/does not load: found$/);
  } finally {
    process.argv[1] = program;
  }
});

describe('the native engine runs the same words in the same memory', () => {
  const fake = new Fake();

  beforeEach(() => {
    jest.spyOn(process, 'cwd').mockReturnValue(installed('module.exports = process.standIn;'));
    (process as { standIn?: Fake }).standIn = fake;
    fake.calls.length = 0;
  });
  afterEach(async () => {
    await setEngine('wasm');
    await setThreads('auto');
    setThreadedWork(null);
  });

  test('steps, variables and messages are the same; going over and back keeps values', async () => {
    const v = new Variable(tensor([1, 2, 3]), 'v');
    const step = jit(
      (x: Tensor) => {
        v.assign(v.value.add(x));
        return v.value.mul(2);
      },
      { name: 'add' },
    );
    await setEngine('wasm');
    expect((await step(tensor([1, 1, 1]))).toArray()).toEqual([4, 6, 8]);
    expect(await setEngine('auto')).toEqual({ name: 'native', reason: 'auto: a stand-in' });
    expect(step.explain(tensor([1, 1, 1]))).toContain('engine: native (auto: a stand-in)');
    expect((await step(tensor([1, 1, 1]))).toArray()).toEqual([6, 8, 10]);
    expect(fake.calls).toEqual(['now']);
    await setEngine('wasm');
    expect((await step(tensor([1, 1, 1]))).toArray()).toEqual([8, 10, 12]);
    expect(v.value.toArray()).toEqual([4, 5, 6]);
    expect(fake.calls).toEqual(['now', 'end']);
    await setEngine('native');
    expect(engine()).toEqual({ name: 'native', reason: "setEngine('native'): a stand-in" });
    const take = jit((x: Tensor, i: Tensor) => x.take(i, 0), { name: 'take' });
    await expect(take(zeros([3, 2]), tensor([0, 7], { dtype: 'int32' }))).rejects.toThrow(/7/);
    expect((await take(tensor([[1], [2]]), tensor([1], { dtype: 'int32' }))).toArray()).toEqual([[2]]);
    const { times, value } = await step.profile(tensor([0, 0, 0]));
    expect(value.toArray()).toEqual([8, 10, 12]);
    expect(times.length).toBeGreaterThan(0);
  });

  test('large steps run on its threads', async () => {
    await setEngine('native');
    await setThreads(3);
    const x = randomNormal([400, 400], { key: randomKey(1) });
    const heavy = jit((v: Tensor) => v.matmul(v).tanh().matmul(v).sum());
    const expected = (await heavy(x)).item();
    // One thread is one of its own: the calling thread never waits for a large step.
    await setThreads(1);
    expect((await heavy(x)).item()).toBe(expected);
    expect(fake.calls.filter((call) => call !== 'end')).toEqual(['3 threads', '1 threads']);
    await setEngine('wasm');
    expect((await heavy(x)).item()).toBe(expected);
  });
});
