import { availableParallelism, loadavg } from 'node:os';
import { processor } from './machine.js';
import type { Answer } from './peer.js';
import { gigaflop, WORKLOADS } from './workloads.js';

/** A number with three digits. */
export function format(x: number | undefined): string {
  if (x === undefined || !Number.isFinite(x)) return '-';
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 0.1 ? x.toFixed(2) : x.toFixed(3);
}

/** The middle of a list of numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
  a !== undefined && b !== undefined ? a / b : undefined;

/** The tables of a run: wall and CPU time of a step, ratios to ours, rates of products beside sgemm and beside the best sgemm of all, kernels, and whether all trained the same model. */
export function report(answers: readonly Answer[]): string {
  const keys = [...new Set(answers.map((a) => `${a.peer}@${a.threads}`))];
  const measured = new Map<string, Answer[]>();
  for (const a of answers) {
    if (a.steps_per_s === undefined || a.phase === undefined) continue;
    const key = `${a.workload} ${a.phase} ${a.peer}@${a.threads}`;
    measured.set(key, [...(measured.get(key) ?? []), a]);
  }
  const micro = [...new Set(answers.map((a) => a.workload).filter((w) => w.startsWith('M')))];
  const best = (w: string, k: string): number | undefined => {
    const list = measured.get(`${w} op ${k}`);
    return list && Math.max(...list.map((a) => a.gops!));
  };
  /** Work of a kernel, in 10^9, a CPU second of all threads: the round that others disturbed least, as for models. */
  const perCPUSecond = (w: string, k: string): number | undefined => {
    const list = measured.get(`${w} op ${k}`);
    return list && Math.max(...list.map((a) => (a.gops! / a.steps_per_s! / a.cpu_ms!) * 1000));
  };
  const threadsOf = (key: string): number => Number(key.slice(key.lastIndexOf('@') + 1));
  /** What the machine can do with so many threads: the best sgemm of any peer in this run, by the clock that its rows are compared by. */
  const limit = (threads: number): { rate: number; of: string } | undefined =>
    keys
      .filter((k) => threadsOf(k) === threads)
      .flatMap((k) =>
        micro
          .filter((w) => w.startsWith('M1_'))
          .map((w) => ({ rate: (threads === 1 ? perCPUSecond : best)(w, k) ?? 0, of: `${k}, ${w}` })),
      )
      .filter(({ rate }) => rate > 0)
      .sort((a, b) => b.rate - a.rate)[0];
  const workloads = Object.keys(WORKLOADS).filter((w) => answers.some((a) => a.workload === w));
  const parts: string[] = [];
  for (const phase of ['train', 'predict'] as const) {
    const used = workloads.filter((w) => keys.some((k) => measured.has(`${w} ${phase} ${k}`)));
    if (used.length === 0) continue;
    const wall = (w: string, k: string): number | undefined => {
      const list = measured.get(`${w} ${phase} ${k}`);
      return list && 1000 / median(list.map((a) => a.steps_per_s!));
    };
    // The lowest round is the one that others disturbed least.
    const cpu = (w: string, k: string): number | undefined => {
      const list = measured.get(`${w} ${phase} ${k}`);
      return list && Math.min(...list.map((a) => a.cpu_ms!));
    };
    const rows = (f: (w: string, k: string) => number | undefined, of: readonly string[] = keys): string[][] =>
      of.filter((k) => used.some((w) => f(w, k) !== undefined)).map((k) => [k, ...used.map((w) => format(f(w, k)))]);
    parts.push(`### ${phase}: milliseconds a step, wall (median of rounds)\n\n${table(['', ...used], rows(wall))}`);
    parts.push(
      `### ${phase}: CPU milliseconds a step, all threads (lowest round)\n\n${table(['', ...used], rows(cpu))}`,
    );
    const own = keys.filter((k) => k.startsWith('ours'));
    const theirs = keys.filter((k) => !k.startsWith('ours'));
    /** The shortest time of any peer that is not ours. */
    const shortest = (w: string, peers: readonly string[], f: (w: string, k: string) => number | undefined): number =>
      Math.min(...peers.map((k) => f(w, k) ?? Number.POSITIVE_INFINITY));
    if (own.length > 0 && theirs.length > 0) {
      // On one thread by CPU time, beside peers on one thread; on several by the clock on the wall, beside every peer on however many.
      const lead = (w: string, k: string): number | undefined => {
        const one = threadsOf(k) === 1;
        const mine = (one ? cpu : wall)(w, k);
        const best = one
          ? shortest(
              w,
              theirs.filter((peer) => threadsOf(peer) === 1),
              cpu,
            )
          : shortest(w, theirs, wall);
        return mine === undefined ? undefined : best / mine;
      };
      parts.push(
        `### ${phase}: the best peer's time over ours (more than 1: ours is faster): CPU on one thread, wall on several beside peers on any number\n\n${table(['', ...used], rows(lead, own))}`,
      );
    }
    const shared = keys.filter((k) => threadsOf(k) > 1 && keys.includes(k.replace(/@.*/, '@1')));
    if (shared.length > 0)
      parts.push(
        `### ${phase}: wall time of one thread over that of several of the same peer\n\n${table(
          ['', ...used],
          rows((w, k) => ratio(wall(w, k.replace(/@.*/, '@1')), wall(w, k)), shared),
        )}`,
      );
    for (const mine of own) {
      if (theirs.length === 0) continue;
      const only = (f: (w: string, k: string) => number | undefined): string[][] =>
        theirs.map((k) => [k, ...used.map((w) => format(ratio(f(w, k), f(w, mine))))]);
      const what = mine.endsWith('@1') ? ['CPU', cpu] : ['wall', wall];
      parts.push(
        `### ${phase}: ${what[0] as string} time over that of ${mine} (more than 1: ours is faster)\n\n${table(['', ...used], only(what[1] as typeof cpu))}`,
      );
    }
    const rate = (w: string, k: string): number | undefined => {
      const time = cpu(w, k);
      return time && (gigaflop(w)[phase === 'train' ? 'train' : 'forward'] / time) * 1000;
    };
    parts.push(`### ${phase}: GFLOP of matrix products a CPU second\n\n${table(['', ...used], rows(rate))}`);
    const limits = new Map([...new Set(keys.map(threadsOf))].map((n) => [n, limit(n)] as const));
    if ([...limits.values()].some(Boolean)) {
      const named = [...limits].flatMap(([n, l]) => (l ? [`@${n}: ${format(l.rate)} GFLOP/s, ${l.of}`] : []));
      const share = (w: string, k: string): number | undefined => {
        const time = threadsOf(k) === 1 ? cpu(w, k) : wall(w, k);
        const work = gigaflop(w)[phase === 'train' ? 'train' : 'forward'];
        return ratio(time && (work / time) * 1000, limits.get(threadsOf(k))?.rate);
      };
      parts.push(
        `### ${phase}: the share of the machine's own limit, the best sgemm of any peer in this run (one thread by CPU time, several by wall)\n\n${named.join('; ')}\n\n${table(['', ...used], rows(share))}`,
      );
    }
    for (const product of micro.filter((w) => w.startsWith('M1_'))) {
      const share = (w: string, k: string): number | undefined => {
        return ratio(rate(w, k), perCPUSecond(product, k));
      };
      parts.push(
        `### ${phase}: that, over the same of sgemm alone (${product})\n\n${table(['', ...used], rows(share))}`,
      );
    }
  }
  const kernels = (f: (w: string, k: string) => number | undefined): string =>
    table(
      ['', ...micro],
      keys.map((k) => [k, ...micro.map((w) => format(f(w, k)))]),
    );
  if (micro.length > 0)
    parts.push(
      `### kernels: sgemm in GFLOP/s; tanh and sum over 2^20 floats in Gelement/s (wall, best round)\n\n${kernels(best)}`,
      `### kernels: sgemm in GFLOP, tanh and sum in Gelements a CPU second, all threads (best round)\n\n${kernels(perCPUSecond)}`,
    );
  const built = answers.filter((a) => a.losses && a.losses.length > 0);
  if (built.length > 0)
    parts.push(
      `### the same model? Parameters, and the loss after steps 1, 2, 5, 10, 20\n\n${table(
        ['workload', 'peer', 'parameters', 'losses'],
        built.map((a) => [
          a.workload,
          `${a.peer}@${a.threads}`,
          String(a.params),
          a.losses!.map((l) => l.toFixed(4)).join(' '),
        ]),
      )}`,
    );
  const errors = answers.filter((a) => a.error);
  if (errors.length > 0)
    parts.push(
      `### what did not run\n\n${[...new Set(errors.map((a) => `- ${a.peer}@${a.threads} ${a.workload}: ${a.error!.split('\n')[0]}`))].join('\n')}`,
    );
  parts.push(
    `${processor()}. Node ${process.versions.node}, ${availableParallelism()} processors for this process, load ${loadavg()
      .map((l) => l.toFixed(2))
      .join(' ')}.`,
  );
  return parts.join('\n\n');
}
