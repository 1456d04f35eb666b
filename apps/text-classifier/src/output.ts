import type { Samples } from './data.js';
import { formatFault, formatReasons } from './data.js';
import { harmless, harmlessJson } from './terminal.js';

/** What the process that supervises us has to know to clean up when it is interrupted. */
export interface Lifecycle {
  /** An unfinished file is about to be made. */
  temporary(path: string): void;
  /** The classifier is saved. */
  saved(path: string): void;
}

/** Where results go: `--json` keeps everything but the result off standard output. */
export class Output {
  readonly json: boolean;
  readonly lifecycle: Lifecycle;

  constructor(json: boolean, lifecycle: Lifecycle) {
    this.json = json;
    this.lifecycle = lifecycle;
  }

  /** For people. */
  say(text: string): void {
    if (!this.json) process.stdout.write(`${harmless(text)}\n`);
  }

  /** For programs. */
  result(value: Record<string, unknown>): void {
    if (this.json) process.stdout.write(`${harmlessJson(value)}\n`);
  }

  /** What nobody should miss: on standard error. */
  warn(text: string): void {
    process.stderr.write(`text-classifier: ${harmless(text)}\n`);
  }

  /** Nothing of a file is left out, or changed, in silence. */
  tellAbout(data: Samples, all: boolean): void {
    const { file, samples, bad, reasons, faults, trimmed } = data;
    if (trimmed > 0) this.warn(`${file}: left out the spaces around ${trimmed} ${trimmed === 1 ? 'label' : 'labels'}`);
    if (bad === 0) return;
    const shown = all ? faults : faults.slice(0, 3);
    const lines = shown.map((fault) => `\n  ${formatFault(file, fault)}`).join('');
    const rest = bad > shown.length ? `\n  ... (--on-bad-row collect lists all)` : '';
    this.warn(`${file}: left out ${bad} of ${bad + samples.length} rows (${formatReasons(reasons)})${lines}${rest}`);
  }
}

/** What a result says about a file whose rows were not all taken. */
export const badRowsOf = ({ file, bad, reasons, faults, trimmed }: Samples): Record<string, unknown> => ({
  file,
  bad,
  reasons: [...reasons].map(([reason, rows]) => ({ reason, rows })),
  rows: faults,
  trimmedLabels: trimmed,
});
