import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type EngineChoice, EngineError, setEngine } from 'recurra';
import { browser } from './browser.js';
import { buckets } from './buckets.js';
import { bundle } from './bundle.js';
import { coldStart, loading } from './coldstart.js';
import { commands } from './commands.js';
import { cores } from './cores.js';
import { csv } from './csv.js';
import { lag } from './lag.js';
import { overhead } from './overhead.js';
import { type Answer, absent, Peer, peerNames } from './peer.js';
import { report } from './report.js';
import { scaling } from './scaling.js';
import { type ShapeLayer, shapes } from './shapes.js';
import { soak } from './soak.js';
import { text } from './text.js';
import { WORKLOADS } from './workloads.js';

const MICRO = ['M1_64', 'M1_128', 'M1_256', 'M1_512', 'M1_1024', 'M2_tanh', 'M2_sum'];

const USAGE = `usage: pnpm bench [--workloads W1,W2,M1_256] [--peers ours,torch] [--threads 1,2] [--seconds 2] [--rounds 3]
                  [--phases train,predict] [--json FILE]
       pnpm bench scaling      cost against steps, batch and units; compile time; memory
       pnpm bench shapes [--layer lstm|gru|rnn] [--engine auto|wasm|native] [--phases train,predict] [--threads 1] [--rounds 2] [--steps N] [--units 8,10]
                  [--batches 1,2]      GFLOP/s of sequences over units and batches, and which fall off a cliff
       pnpm bench commands [--workloads W1,W4] [--rounds 5]      each command alone and of training steps, native beside WebAssembly
       pnpm bench cores [--peers ours-native] [--threads 2] [--workloads W2,W3] [--phases train,predict] [--seconds 0.5] [--rounds 5]
                  what threads gain, beside as many processes at once
       pnpm bench soak [--steps 20000] [--signatures 5000]      resident memory over many steps and many signatures
       pnpm bench cold         a fresh process that trains the seed snippet
       pnpm bench loading [--rounds 30]      what the native engine adds to a start, fresh processes in turn
       pnpm bench lag [--workloads W6] [--threads 1,2] [--seconds 10]      how late timers are while large steps train
       pnpm bench overhead [--rounds 7]      what fit adds to a compiled step, microseconds a batch
       pnpm bench bundle       the size of a page that trains W1 (esbuild in BENCH_JS)
       pnpm bench browser      W1-W4 in Chromium (CHROMIUM names the binary)
       pnpm bench text         vocabularies, encoding and padding beside Keras, on the texts of BENCH_DATA
       pnpm bench buckets      the share of padded steps with and without buckets of similar length, on BENCH_DATA
       pnpm bench csv [--megabytes 1024]      a generated file in batches: its rate, and memory

Workloads: ${Object.keys(WORKLOADS).join(' ')}, ${MICRO.join(' ')}.
Peers: ${peerNames.join(' ')}. Those that are absent are named and left out. Python and JavaScript peers are looked for in
.bench-env of the current folder, or where BENCH_PY, BENCH_PYT (python with keras, with torch) and BENCH_JS (a folder with
node_modules) say; BENCH_NODE_NEW is the node of ours-new, BENCH_BEFORE another built checkout, ours-before.`;

/** Runs the command line; resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    console.error(`bench: ${error.message} In this repository, \`pnpm build:native\` builds it.`);
    return 1;
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  let options: Partial<
    Record<
      | 'workloads'
      | 'peers'
      | 'threads'
      | 'seconds'
      | 'rounds'
      | 'phases'
      | 'json'
      | 'steps'
      | 'signatures'
      | 'megabytes'
      | 'layer'
      | 'engine'
      | 'units'
      | 'batches',
      string
    >
  >;
  let positionals: string[];
  try {
    const string = { type: 'string' } as const;
    ({ values: options, positionals } = parseArgs({
      args: [...args].filter((a) => a !== '--'),
      allowPositionals: true,
      options: {
        ...{ workloads: string, peers: string, threads: string, seconds: string, rounds: string, phases: string },
        ...{ json: string, steps: string, signatures: string, megabytes: string },
        ...{ layer: string, engine: string, units: string, batches: string },
      },
    }));
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const [command] = positionals;
  if (command === 'scaling') await scaling();
  else if (command === 'cold') coldStart();
  else if (command === 'loading') {
    // Where there is none, that is told at once.
    await setEngine('native');
    return loading(Number(options.rounds ?? 30));
  } else if (command === 'lag')
    return lag(
      options.workloads?.split(',') ?? ['W6'],
      (options.threads ?? '1,2').split(',').map(Number),
      Number(options.seconds ?? 10),
    );
  else if (command === 'overhead') return overhead({ rounds: Number(options.rounds ?? 7) });
  else if (command === 'bundle') return bundle();
  else if (command === 'text') return text(Number(options.rounds ?? 3));
  else if (command === 'buckets') return buckets();
  else if (command === 'csv') return csv(Number(options.megabytes ?? 1024));
  else if (command === 'browser')
    return browser(
      options.workloads?.split(',') ?? ['W1', 'W2', 'W3', 'W4'],
      (options.threads ?? '1,2').split(',').map(Number),
    );
  else if (command === 'soak')
    return soak({ steps: Number(options.steps ?? 20_000), signatures: Number(options.signatures ?? 5_000) });
  else if (command === 'commands') return commandTables(options);
  else if (command === 'shapes') return shapeTable(options);
  else if (command === 'cores') return coreTable(options);
  else if (command === undefined) return compare(options);
  else {
    console.error(
      `bench: expected scaling, shapes, commands, cores, soak, cold, loading, lag, overhead, bundle, browser, text, buckets, csv or options, received ${command}\n${USAGE}`,
    );
    return 2;
  }
  return 0;
}

/** `bench commands`: without workloads what is measured alone, and all. */
async function commandTables(options: Readonly<Record<string, string | undefined>>): Promise<number> {
  const workloads = options['workloads']?.split(',') ?? [];
  const rounds = Number(options['rounds'] ?? 5);
  if (workloads.some((w) => !(w in WORKLOADS)) || !(rounds >= 1)) {
    console.error(
      `bench: expected known workloads and a positive number, received ${JSON.stringify(options)}\n${USAGE}`,
    );
    return 2;
  }
  return commands({ workloads, rounds });
}

/** `bench cores` with what was asked for, or 2 where that cannot be. */
async function coreTable(options: Readonly<Record<string, string | undefined>>): Promise<number> {
  const workloads = options['workloads']?.split(',') ?? Object.keys(WORKLOADS);
  const phases = options['phases']?.split(',') ?? ['train', 'predict'];
  const [peer = 'ours-native', ...others] = options['peers']?.split(',') ?? [];
  const [threads, seconds, rounds] = [
    Number(options['threads'] ?? 2),
    Number(options['seconds'] ?? 0.5),
    Number(options['rounds'] ?? 5),
  ];
  if (
    others.length > 0 ||
    !peerNames.includes(peer) ||
    workloads.some((w) => !(w in WORKLOADS)) ||
    phases.some((phase) => phase !== 'train' && phase !== 'predict') ||
    !(Number.isInteger(threads) && threads >= 2) ||
    !(seconds > 0 && rounds >= 1)
  ) {
    console.error(
      `bench: expected known workloads and phases, one known peer, 2 threads or more and positive numbers, received ${JSON.stringify(options)}\n${USAGE}`,
    );
    return 2;
  }
  const reason = absent(peer);
  if (reason) {
    console.error(`bench: ${peer} cannot run: ${reason}`);
    return 1;
  }
  return cores({ workloads, phases, peer, threads, seconds, rounds });
}

/** `bench shapes` with what was asked for, or 2 where that cannot be. */
async function shapeTable(options: Readonly<Record<string, string | undefined>>): Promise<number> {
  const counts = (text: string | undefined): number[] | undefined => text?.split(',').map(Number);
  const { layer = 'lstm', engine } = options;
  const phases = options['phases']?.split(',') ?? ['train', 'predict'];
  const [threads, rounds] = [Number(options['threads'] ?? 1), Number(options['rounds'] ?? 2)];
  const steps = counts(options['steps'])?.[0];
  const [units, batches] = [counts(options['units']), counts(options['batches'])];
  const numbers = [threads, rounds, steps ?? 1, ...(units ?? []), ...(batches ?? [])];
  if (
    !['lstm', 'gru', 'rnn'].includes(layer) ||
    !(engine === undefined || ['auto', 'wasm', 'native'].includes(engine)) ||
    phases.some((phase) => phase !== 'train' && phase !== 'predict') ||
    numbers.some((n) => !(Number.isInteger(n) && n >= 1))
  ) {
    console.error(
      `bench: expected a layer of lstm, gru, rnn, an engine of auto, wasm, native, known phases and positive integers, received ${JSON.stringify(options)}\n${USAGE}`,
    );
    return 2;
  }
  return shapes({
    ...{ layer: layer as ShapeLayer, phases: phases as ('train' | 'predict')[] },
    ...{ threads, rounds, milliseconds: 3 },
    ...(engine !== undefined && { engine: engine as EngineChoice }),
    ...(steps !== undefined && { steps }),
    ...(units && { units }),
    ...(batches && { batches }),
  });
}

async function compare(options: Readonly<Record<string, string | undefined>>): Promise<number> {
  const list = (text: string | undefined, all: readonly string[]): string[] => text?.split(',') ?? [...all];
  const workloads = list(options['workloads'], [...Object.keys(WORKLOADS), ...MICRO]);
  const names = list(options['peers'], peerNames);
  const threads = list(options['threads'], ['1']).map(Number);
  const phases = list(options['phases'], ['train', 'predict']);
  const seconds = Number(options['seconds'] ?? 2);
  const rounds = Number(options['rounds'] ?? 3);
  const unknown = [
    ...workloads.filter((w) => !(w in WORKLOADS) && !MICRO.includes(w)),
    ...names.filter((n) => !peerNames.includes(n)),
  ];
  if (unknown.length > 0 || !(seconds > 0) || !(rounds >= 1) || threads.some((t) => !(t >= 1))) {
    console.error(
      `bench: expected known workloads and peers and positive numbers, received ${unknown.join(', ') || JSON.stringify(options)}\n${USAGE}`,
    );
    return 2;
  }
  const there = names.filter((name) => {
    const reason = absent(name);
    if (reason) console.error(`bench: ${name} is left out: ${reason}`);
    return reason === null;
  });
  const peers = there.flatMap((name) => threads.map((count) => new Peer(name, count)));
  const answers: Answer[] = [];
  const keep = (answer: Answer): void => {
    answers.push(answer);
    if (options['json']) appendFileSync(options['json'], `${JSON.stringify(answer)}\n`);
    const { peer, workload, phase = 'build', steps_per_s: speed, error } = answer;
    console.error(
      `${workload} ${phase} ${peer}@${answer.threads} ${error ?? (speed ? `${(1000 / speed).toFixed(3)} ms` : 'built')}`,
    );
  };
  if (options['json']) writeFileSync(options['json'], '');
  for (const workload of workloads) {
    const ready: Peer[] = [];
    for (const peer of peers) {
      const answer = await peer.ask({ cmd: 'build', workload }, 180);
      keep(answer);
      if (!answer.error) ready.push(peer);
    }
    const slow = new Set<string>();
    for (let round = 0; round < rounds; round++)
      for (const phase of workload.startsWith('M') ? ['op'] : phases)
        for (const peer of ready) {
          if ((workload === 'W8' && phase === 'train') || slow.has(`${peer.key} ${phase}`)) continue;
          const answer = await peer.ask({ cmd: 'measure', workload, phase, seconds }, 120);
          keep(answer);
          // A step that takes longer than its share of the time is measured once.
          if ((answer.steps_per_s ?? Infinity) * seconds < 0.7) slow.add(`${peer.key} ${phase}`);
        }
    for (const peer of peers) await peer.ask({ cmd: 'drop', workload }, 20);
  }
  for (const peer of peers) peer.stop();
  console.log(report(answers));
  return 0;
}
