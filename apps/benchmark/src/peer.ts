import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { availableEngines } from 'recurra/extend';
import { instructionSets } from './machine.js';

const folder = fileURLToPath(new URL('..', import.meta.url));
const environment = join(process.cwd(), '.bench-env');

/** How to start a peer, and with what. */
interface Recipe {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const script = (file: string): string => join(folder, 'peers', file);
const node = process.env['BENCH_NODE'] ?? process.execPath;
const newest = process.env['BENCH_NODE_NEW'];
const keras = process.env['BENCH_PY'] ?? join(environment, 'py/bin/python');
const torch = process.env['BENCH_PYT'] ?? join(environment, 'torch/bin/python');
const before = process.env['BENCH_BEFORE'];
const packages = process.env['BENCH_JS'] ?? join(environment, 'js');

const ours = (command: string, flags: readonly string[], suffix: string, from = folder): Recipe => ({
  command,
  args: [...flags, join(from, 'dist/ours.js')],
  env: { BENCH_SUFFIX: suffix, RECURRA_ENGINE: 'wasm' },
});
/** The native engine, on the widest instruction set or on one that is forced. */
const native = (set?: string): Recipe => ({
  command: node,
  args: [join(folder, 'dist/ours.js')],
  env: {
    BENCH_SUFFIX: set ? `-native-${set}` : '-native',
    RECURRA_ENGINE: 'native',
    ...(set && { RECURRA_SIMD: set }),
  },
});
const javascript = (file: string, env: Readonly<Record<string, string>> = {}): Recipe => ({
  command: node,
  args: [script(file)],
  env: { BENCH_JS: packages, ...env },
});
const python = (command: string, file: string, env: Readonly<Record<string, string>> = {}): Recipe => ({
  command,
  args: [script(file)],
  env: { PYTHONDONTWRITEBYTECODE: '1', ...env },
});

/** The peers by name. `ours-native` is the native engine (`pnpm build:native`), `ours-native-avx2` the same where it could have used AVX-512. Node 20 has relaxed SIMD behind a flag: `ours-relaxed`; `ours-new` runs in BENCH_NODE_NEW. `ours-before` is another checkout. */
const PEERS: Readonly<Record<string, () => Recipe>> = {
  ours: () => ours(node, [], ''),
  'ours-relaxed': () => ours(node, ['--experimental-wasm-relaxed-simd'], '-relaxed'),
  'ours-new': () => ours(newest ?? 'absent', [], '-new'),
  'ours-native': () => native(),
  'ours-native-avx2': () => native('avx2'),
  'ours-before': () =>
    ours(before === undefined ? 'absent' : node, [], '-before', join(before ?? '', 'apps/benchmark')),
  'tfjs-cpu': () => javascript('tfjs.mjs', { BENCH_BACKEND: 'cpu' }),
  'tfjs-wasm': () => javascript('tfjs.mjs', { BENCH_BACKEND: 'wasm', BENCH_PATCH: '1' }),
  'jax-js': () => javascript('jaxjs.mjs'),
  torch: () => python(torch, 'torch_peer.py'),
  'keras-tf': () => python(keras, 'keras_peer.py', { KERAS_BACKEND: 'tensorflow' }),
  'keras-jax': () => python(keras, 'keras_peer.py', { KERAS_BACKEND: 'jax' }),
};

/** The names of all peers. */
export const peerNames: readonly string[] = Object.keys(PEERS);

/** What a peer answers; see `ours.ts` for the protocol. */
export interface Answer {
  readonly peer: string;
  readonly threads: number;
  readonly workload: string;
  readonly phase?: string;
  readonly steps_per_s?: number;
  readonly cpu_ms?: number;
  readonly gops?: number;
  readonly losses?: readonly number[];
  readonly params?: number;
  readonly error?: string;
}

/** Why a peer cannot run here, or `null`. */
export function absent(name: string): string | null {
  const { command, args, env } = PEERS[name]!();
  if (command === 'absent')
    return name === 'ours-before' ? 'set BENCH_BEFORE to a built checkout' : 'set BENCH_NODE_NEW to a newer node';
  const set = env['RECURRA_SIMD'];
  if (set) {
    const sets = instructionSets();
    if (sets[0] === set) return `that is what ours-native runs on here`;
    if (!sets.includes(set)) return `this processor has no ${set}`;
  }
  if (env['RECURRA_ENGINE'] === 'native' && !availableEngines().includes('native'))
    return 'there is no native engine (pnpm build:native)';
  if (!existsSync(command)) return `${command} is not there`;
  if (env['BENCH_JS'] && !existsSync(join(env['BENCH_JS'], 'node_modules'))) return `${env['BENCH_JS']} is not there`;
  return existsSync(args[args.length - 1]!) ? null : `${args[args.length - 1]} is not there`;
}

/** One process that answers requests, a line each. */
export class Peer {
  readonly name: string;
  readonly threads: number;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;
  private gone: string | null = null;
  private errors = '';

  constructor(name: string, threads: number) {
    this.name = name;
    this.threads = threads;
    const { command, args, env } = PEERS[name]!();
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env, BENCH_THREADS: String(threads) },
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-2000);
    });
    this.child.on('exit', (code) => {
      this.gone = `ended with ${code}: ${this.errors.trim().split('\n').at(-1) ?? ''}`;
    });
    this.child.stdin!.on('error', () => {});
    this.reader = createInterface({ input: this.child.stdout! });
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  /** `name@threads` */
  get key(): string {
    return `${this.name}@${this.threads}`;
  }

  /** Sends a request, and waits for the answer so many seconds. */
  async ask(request: Record<string, unknown>, limit: number): Promise<Answer> {
    const failed = (error: string): Answer => ({
      peer: this.name,
      threads: this.threads,
      workload: String(request['workload']),
      error,
    });
    if (this.gone !== null) return failed(this.gone);
    this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), limit * 1000);
    });
    const line = await Promise.race([this.lines.next(), late]);
    clearTimeout(timer);
    if (line === null) {
      this.stop();
      return failed(`no answer in ${limit} s: stopped`);
    }
    if (line.done) return failed(this.gone ?? `ended: ${this.errors.trim().split('\n').at(-1) ?? ''}`);
    return { ...(JSON.parse(line.value) as Answer), peer: this.name, threads: this.threads };
  }

  /** Ends the process. */
  stop(): void {
    this.gone ??= 'stopped';
    this.child.kill();
    this.reader.close();
  }
}
