import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { discard } from './files/temporary.js';
import { harmless } from './terminal.js';

/** What the worker is started with. */
export interface Start {
  readonly args: readonly string[];
  readonly isTTY: boolean;
  /** The width of the terminal. */
  readonly columns: number | undefined;
}

/** What the worker tells. */
export type Message =
  | { readonly kind: 'write'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'temporary'; readonly path: string }
  | { readonly kind: 'saved'; readonly path: string }
  | { readonly kind: 'done'; readonly code: number };

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long a worker may take to end: it does so within a step of training, unless it hangs in the system. */
const PATIENCE_MS = 600;
/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
const READER_GONE = 141;

/**
 * Runs the command line in a worker, sets the exit code, and stays free to answer: one step of a large model takes longer than a person waits,
 * and a thread that computes hears no signal. Interrupted, it ends the worker where it stands, removes the unfinished file, and exits with
 * 128 + the signal's number; a second signal ends the process at once. Output that cannot be written is a failure with a message, a reader that
 * goes away (`| head`) the quiet end.
 */
export function supervise(args: readonly string[]): void {
  const { isTTY, columns } = process.stdout;
  const start: Start = { args, isTTY: isTTY === true, columns };
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
  const unfinished = new Set<string>();
  let saved: string | null = null;
  let code: number | null = null;
  let outputFailed = false;
  let stopping = false;

  const stop = async (exitCode: number, signal: NodeJS.Signals | null): Promise<void> => {
    if (stopping) return;
    stopping = true;
    for (const s of SIGNALS) process.removeAllListeners(s);
    const leave = (): void => {
      for (const path of unfinished) discard(path);
      if (signal === null) return;
      const what = saved === null ? 'nothing was written' : `the classifier was saved to ${harmless(saved)} before`;
      try {
        // At once: a stream may deliver after the process is gone.
        writeSync(2, `\ntext-classifier: interrupted, ${what}\n`);
      } catch {
        // There is nobody left to tell.
      }
    };
    const late = setTimeout(() => {
      // Exiting in order would wait for the worker, too: so the signal ends us, which a shell reports by the same number.
      leave();
      process.kill(process.pid, signal ?? 'SIGKILL');
    }, PATIENCE_MS);
    await worker.terminate();
    clearTimeout(late);
    leave();
    process.exit(exitCode);
  };

  for (const signal of SIGNALS) process.once(signal, () => stop(128 + constants.signals[signal], signal));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      stop(READER_GONE, null);
      return;
    }
    // A full disk does not cost the model: the worker goes on.
    if (!outputFailed) process.stderr.write(`text-classifier: standard output cannot be written: ${error.message}\n`);
    outputFailed = true;
    process.exitCode = 1;
  });
  // There is nobody left to tell.
  process.stderr.on('error', () => {
    outputFailed = true;
    process.exitCode = 1;
  });
  worker.on('message', (message: Message) => {
    if (message.kind === 'write') process[message.stream].write(message.text);
    else if (message.kind === 'temporary') unfinished.add(message.path);
    else if (message.kind === 'saved') saved = message.path;
    else code = message.code;
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    const why = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : `unexpected error: ${error.message}`;
    process.stderr.write(`text-classifier: ${why}\n`);
  });
  worker.on('exit', () => {
    for (const path of unfinished) discard(path);
    process.exitCode = outputFailed && (code ?? 0) === 0 ? 1 : (code ?? 1);
  });
}
