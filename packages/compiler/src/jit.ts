import { treeLeaves, treeMap, treeUnflatten } from '@recurra/autograd';
import { formatBytes } from '@recurra/kernels';
import { Tensor, TraceError } from '@recurra/tensor';
import { checkRules, checkValue, nextKey, type Rules, rules, withKeys } from '@recurra/tensor/extend';
import type { Holding, KernelTime, MemoryUse, Prepared } from './engines/engine.js';
import { currentEngine, engine } from './engines/engines.js';
import { Graph } from './graph.js';
import { checkData } from './guard.js';
import { breathe } from './pacer.js';
import { schedule } from './schedule/planner.js';
import { isCommand } from './schedule/program.js';
import { execute, executeTimed } from './scheduler.js';
import { finiteSignature } from './signature.js';
import { type Guard, Tracer } from './tracer.js';
import { activeTracer, whileTracing } from './tracers.js';

/** Options of {@link jit}. */
export interface JitOptions {
  /** The name in explanations and errors; that of the function by default. */
  readonly name?: string;
  /** How many signatures are kept compiled, the least recently used going first; 64. */
  readonly cacheSize?: number;
}

const OPTIONS = { name: rules.text, cacheSize: rules.count } satisfies Rules<JitOptions>;

/** Times of the kernels of one call. */
export interface Profile<R> {
  readonly value: R;
  readonly times: readonly KernelTime[];
  /** The times as a file that the Chrome trace viewer (and Perfetto) open. */
  toChromeTrace(): string;
}

/** A compiled function. */
export interface Step<A extends unknown[], R> {
  /** Runs the step. Calls that overlap are served in order. */
  (...args: A): Promise<R>;
  /** The function as it was given: for use inside of another transformation, `grad(step.inline)` or another `jit`. */
  readonly inline: (...args: A) => R;
  /** Compiles for arguments like these without running; resolves to the memory that the step takes. */
  memory(...args: A): MemoryUse;
  /** The engine and why it runs, the graph, what was fused, the kernels, what the calling thread evaluates and why, and the memory for arguments like these, as text. */
  explain(...args: A): string;
  /** Runs on the calling thread, and measures every kernel. */
  profile(...args: A): Promise<Profile<R>>;
  /** The number of signatures that are compiled now. */
  readonly cached: number;
  /** Forgets all compiled signatures and gives their memory back. */
  dispose(): void;
}

/** A graph, prepared for the engine that it last ran on, with what surrounds it: how results are put together, and whether it draws random numbers. */
interface Compiled {
  readonly graph: Graph;
  prepared: Prepared;
  readonly result: unknown;
  readonly drawsKey: boolean;
  readonly guards: readonly Guard[];
}

/** Functions that are gone give the memory of their programs back. */
const forgotten = new FinalizationRegistry<Set<Holding>>((holdings) => {
  for (const holding of holdings) holding.evict();
});

/**
 * Compiles a function of trees of tensors. The first call with arguments of new shapes, dtypes or static parts (everything that is
 * no tensor: numbers, texts, flags) traces it to a graph, which is simplified, fused, planned into one arena of memory and
 * lowered to WebAssembly kernels; later calls only run that. Returns an asynchronous function of the same arguments.
 *
 * Inside of the function, `grad` and its relatives, `scan`, other compiled functions (`step.inline`) and {@link Variable}s may be
 * used. Random functions without a key draw from one that is new in every call. Reading data of a traced value (`data`, `item`,
 * `toArray`) throws `TraceError`.
 *
 * Values that the function closes over are constants of the compiled code; what changes from call to call is an argument or a
 * `Variable`. Static parts are compared by content (arrays, plain objects, `Map`, `Set`, `Date`), functions and variables by identity; typed
 * arrays and instances of classes that are not frozen are refused, since the compiled code would not see them change. A call gives the
 * event loop a turn when 16 ms have passed without one. Where memory is short, a call waits for that of objects that are gone.
 * A step that fails leaves variables as they were. Gradients are float32: kernels sum in another order than eager evaluation, so that results agree to rounding.
 */
export function jit<A extends unknown[], R>(f: (...args: A) => R, options: JitOptions = {}): Step<A, R> {
  checkValue('jit', 'f', f, rules.callable);
  checkRules('jit', options, OPTIONS);
  const { name = f.name || 'step', cacheSize = 64 } = options;
  const cache = new Map<string, Compiled>();
  const holdings = new Set<Holding>();
  const evict = ({ prepared: { holding } }: Compiled): void => {
    holdings.delete(holding);
    holding.evict();
  };
  /** What the engine that is chosen now runs. */
  const preparedFor = (compiled: Compiled): Prepared => {
    const chosen = currentEngine();
    if (compiled.prepared.engine !== chosen) {
      evict(compiled);
      compiled.prepared = chosen.prepare(schedule(compiled.graph, chosen.supports), name);
      holdings.add(compiled.prepared.holding);
    }
    return compiled.prepared;
  };

  const find = (args: A): { compiled: Compiled; leaves: Tensor[] } => {
    const leaves: Tensor[] = [];
    const signature = finiteSignature(args, leaves, name);
    for (const leaf of leaves)
      if (leaf.trace !== null)
        throw new TraceError(
          `${name}: expected concrete tensors, received a value that another transformation watches. Inside of grad or jit, call step.inline(...).`,
        );
    let compiled = cache.get(signature);
    if (compiled) {
      // A map keeps the order of insertion: the first is the one that was used least recently.
      if (cache.size > 1) {
        cache.delete(signature);
        cache.set(signature, compiled);
      }
    } else {
      compiled = compile(f, args, leaves, name);
      cache.set(signature, compiled);
      holdings.add(compiled.prepared.holding);
      if (cache.size > cacheSize) {
        const [oldest] = cache.keys();
        evict(cache.get(oldest!)!);
        cache.delete(oldest!);
      }
    }
    return { compiled, leaves };
  };

  const inputsOf = (compiled: Compiled, leaves: Tensor[]): Tensor[] => {
    for (const { input, check } of compiled.guards) checkData(leaves[input]!, check);
    return compiled.drawsKey ? [...leaves, nextKey()] : leaves;
  };

  const call = async (...args: A): Promise<R> => {
    if (activeTracer())
      throw new TraceError(
        `${name}: expected a call outside of compiled functions, received one while another is traced. Call step.inline(...) there.`,
      );
    const { compiled, leaves } = find(args);
    const prepared = preparedFor(compiled);
    prepared.holding.use();
    let outputs: Tensor[];
    try {
      const running = execute(prepared, inputsOf(compiled, leaves));
      outputs = running instanceof Promise ? await running : running;
    } finally {
      prepared.holding.leave();
    }
    const turn = breathe();
    if (turn) await turn;
    return treeUnflatten(compiled.result, outputs) as R;
  };

  const step = Object.assign(call, {
    inline: f,
    memory: (...args: A): MemoryUse => preparedFor(find(args).compiled).memory,
    explain: (...args: A): string => explain(name, preparedFor(find(args).compiled)),
    profile: async (...args: A): Promise<Profile<R>> => {
      const { compiled, leaves } = find(args);
      const prepared = preparedFor(compiled);
      prepared.holding.use();
      try {
        const { outputs, times } = await executeTimed(prepared, inputsOf(compiled, leaves));
        return {
          value: treeUnflatten(compiled.result, outputs) as R,
          times,
          toChromeTrace: () => chromeTrace(name, times),
        };
      } finally {
        prepared.holding.leave();
      }
    },
    dispose: (): void => {
      for (const compiled of cache.values()) evict(compiled);
      cache.clear();
    },
  });
  Object.defineProperty(step, 'cached', { get: () => cache.size });
  forgotten.register(step, holdings);
  return step as Step<A, R>;
}

function compile<A extends unknown[], R>(
  f: (...args: A) => R,
  args: A,
  leaves: readonly Tensor[],
  name: string,
): Compiled {
  const tracer = new Tracer();
  const inputs = leaves.map((leaf) => tracer.input(leaf));
  const key = tracer.input({ shape: [2], dtype: 'int32' });
  const { graph, result } = whileTracing(tracer, () =>
    withKeys(key, () => {
      const returned = f(...treeUnflatten(args, inputs));
      if (returned instanceof Promise)
        throw new TraceError(
          `${name}: expected a synchronous function, received one that returns a promise. Take await out of it.`,
        );
      return { graph: tracer.finish(treeLeaves(returned), name), result: returned };
    }),
  );
  const drawsKey =
    graph.nodes.some((node) =>
      node.inputs.some((v) => v.source.kind === 'input' && v.source.index === leaves.length),
    ) || graph.outputs.some((v) => v.source.kind === 'input' && v.source.index === leaves.length);
  const own = drawsKey
    ? graph
    : new Graph(graph.inputs.slice(0, leaves.length), graph.nodes, graph.outputs, graph.updates);
  const running = currentEngine();
  const prepared = running.prepare(schedule(own, running.supports), name);
  // Only the structure is kept of what the function returned.
  const structure = treeMap((leaf) => new Tensor(leaf.shape, leaf.dtype, null), result as unknown);
  return { graph: own, prepared, result: structure, drawsKey, guards: tracer.guards };
}

function explain(name: string, { memory, schedule: { graph, notes, steps, work } }: Prepared): string {
  const labels = steps.map((step) => step.label);
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const evaluated = new Map(steps.flatMap((step) => (isCommand(step) ? [] : [[step.label, step.reason] as const])));
  const running = engine();
  const signature = graph.inputs.map((v) => `${v.dtype}[${v.shape.join(', ')}]`).join(', ');
  return [
    `${name}(${signature})`,
    `engine: ${running.name} (${running.reason})`,
    `graph: ${graph.nodes.length} operations, ${graph.updates.length} variables updated, about ${(work / 1e6).toFixed(2)} million multiply-adds`,
    'fusions:',
    ...notes.map((note) => `  ${note}`),
    `program: ${labels.length} commands`,
    ...[...counts].map(([label, count]) => `  ${label}${count > 1 ? ` (${count} times)` : ''}`),
    ...(evaluated.size > 0 ? ['evaluated on the calling thread, between commands:'] : []),
    ...[...evaluated].map(([label, reason]) => `  ${label}: ${reason}`),
    `memory: arena ${formatBytes(memory.arena)} (${formatBytes(memory.unplanned)} without sharing), plan ${formatBytes(memory.plan)}, variables ${formatBytes(memory.variables)}`,
  ].join('\n');
}

/** Events of the Chrome trace format, one after another. */
function chromeTrace(name: string, times: readonly KernelTime[]): string {
  let at = 0;
  const traceEvents = times.map(({ label, milliseconds }) => {
    const event = { name: label, cat: name, ph: 'X', ts: at * 1000, dur: milliseconds * 1000, pid: 1, tid: 1 };
    at += milliseconds;
    return event;
  });
  return JSON.stringify({ traceEvents, displayTimeUnit: 'ms' });
}
