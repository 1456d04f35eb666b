import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

/** The widths that kernels are written for, the widest first: how `lscpu` calls them, `RECURRA_SIMD`, and people. */
const SETS = [
  ['avx512f', 'avx512', 'AVX-512'],
  ['avx2', 'avx2', 'AVX2'],
  ['asimd', 'neon', 'NEON'],
] as const;

function read(): string {
  const { stdout, status } = spawnSync('lscpu', { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return status === 0 ? stdout : '';
}

const field = (lscpu: string, name: string): string | undefined => new RegExp(`^${name}: +(.*)$`, 'm').exec(lscpu)?.[1];

function setsOf(lscpu: string): (typeof SETS)[number][] {
  const flags = new Set(field(lscpu, 'Flags')?.split(' '));
  return SETS.filter(([flag]) => flags.has(flag));
}

/** The instruction sets of this machine by the names of `RECURRA_SIMD`, the widest first; none where there is no `lscpu`. */
export function instructionSets(lscpu: string = read()): string[] {
  return setsOf(lscpu).map(([, name]) => name);
}

/** What `lscpu` says of this machine in one line: the model, its instruction sets and its processors; less where there is no `lscpu`. */
export function processor(lscpu: string = read()): string {
  const count = Number(field(lscpu, 'CPU\\(s\\)') ?? cpus().length);
  const sets = setsOf(lscpu).map(([, , name]) => name);
  return [
    field(lscpu, 'Model name') ?? cpus()[0]?.model ?? process.arch,
    ...(sets.length > 0 ? [sets.join(' and ')] : []),
    `${count} processor${count === 1 ? '' : 's'}`,
  ].join(', ');
}
