import { processor } from './machine.js';
import { type Answer, Peer } from './peer.js';
import { format, table } from './report.js';

/** What was measured of one workload and phase, in steps a second. */
export interface Cores {
  readonly name: string;
  /** One process on one thread, with the machine for itself. */
  readonly alone: number;
  /** One process on all threads. */
  readonly threaded: number;
  /** As many processes as threads at once, each on one thread: all of them together. */
  readonly copies: number;
}

/** The table of `bench cores`: what threads gain, what the machine has to give, and the share of that. */
export function coresTable(count: number, rows: readonly Cores[]): string {
  return table(
    ['', 'one thread, ms', `${count} threads, ms`, `${count} threads / one`, `${count} processes / one`, 'of that'],
    rows.map(({ name, alone, threaded, copies }) => [
      name,
      ...[1000 / alone, 1000 / threaded, threaded / alone, copies / alone, threaded / copies].map(format),
    ]),
  );
}

/**
 * What threads gain, beside what the machine has to give: as many processes at once as there are threads share its clock, its caches and its memory, but wait for nothing of each
 * other. Where those do not reach `count` times the rate of one, no threads can. Rounds are interleaved; the best round counts.
 */
export async function cores(options: {
  readonly workloads: readonly string[];
  readonly phases: readonly string[];
  readonly peer: string;
  readonly threads: number;
  readonly seconds: number;
  readonly rounds: number;
}): Promise<number> {
  const { workloads, phases, peer, threads: count, seconds, rounds } = options;
  const copies = Array.from({ length: count }, () => new Peer(peer, 1));
  const threaded = new Peer(peer, count);
  const rows: Cores[] = [];
  try {
    for (const workload of workloads) {
      const rate = async (peers: readonly Peer[], request: Record<string, unknown>): Promise<number> => {
        const answers: Answer[] = await Promise.all(peers.map((one) => one.ask({ workload, ...request }, 180)));
        const failed = answers.find(({ error }) => error !== undefined);
        if (failed) throw new Error(`${workload}, ${failed.peer}@${failed.threads}: ${failed.error}`);
        return answers.reduce((sum, answer) => sum + (answer.steps_per_s ?? 0), 0);
      };
      await rate([...copies, threaded], { cmd: 'build' });
      for (const phase of phases) {
        if (workload === 'W8' && phase === 'train') continue;
        const best = { alone: 0, threaded: 0, copies: 0 };
        for (let round = 0; round < rounds; round++)
          for (const [key, peers] of [
            ['alone', copies.slice(0, 1)],
            ['threaded', [threaded]],
            ['copies', copies],
          ] as const)
            best[key] = Math.max(best[key], await rate(peers, { cmd: 'measure', phase, seconds }));
        rows.push({ name: `${workload} ${phase}`, ...best });
        console.error(`${workload} ${phase} measured`);
      }
      await Promise.all([...copies, threaded].map((one) => one.ask({ cmd: 'drop', workload }, 20)));
    }
  } finally {
    for (const one of [...copies, threaded]) one.stop();
  }
  console.log(
    `### ${peer}: what ${count} threads gain, beside ${count} processes at once\n\n${coresTable(count, rows)}\n\n${processor()}`,
  );
  return 0;
}
