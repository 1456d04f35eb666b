import { checkValue, rules } from '@recurra/tensor/extend';
import { Callback, type TrainInfo } from '../callback.js';
import type { Logs } from '../logs.js';

/** How much `fit` says: nothing, a progress bar, or one line an epoch; 'auto': a bar in a terminal, else lines. */
export type Verbosity = 'auto' | 0 | 1 | 2;

/** Where progress goes; in Node the process' standard output. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

function terminal(): Terminal | null {
  const stdout = (globalThis as { process?: { stdout?: Terminal } }).process?.stdout;
  return typeof stdout?.write === 'function' ? stdout : null;
}

/** `1.2s`, `85ms`, `2m03s` */
export function formatDuration(seconds: number): string {
  // Each unit by what is shown of it: 59.97 is a minute, 119.6 are two.
  const [ms, tenths, whole] = [1000, 10, 1].map((parts) => Math.round(seconds * parts)) as [number, number, number];
  if (ms < 1000) return `${ms}ms`;
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}

function formatLogs(logs: Logs): string {
  return Object.entries(logs)
    .map(
      ([name, value]) =>
        ` - ${name}: ${Math.abs(value) > 1e-3 || value === 0 ? value.toFixed(4) : value.toExponential(4)}`,
    )
    .join('');
}

/** A Keras-style progress bar with the time left, or plain lines. */
export class ProgressLogger extends Callback {
  private readonly bar: boolean;
  private readonly out: Terminal | null;
  private info: Pick<TrainInfo, 'epochs' | 'steps'> = { epochs: 0, steps: 0 };
  private epochStart = 0;
  private trainStart = 0;
  private epoch = 0;
  private lastDraw = 0;
  /** Batches of the present epoch so far; those of the last one, for sources that do not say. */
  private done = 0;
  private steps: number | null = null;

  constructor(verbose: Exclude<Verbosity, 0>) {
    super();
    checkValue('ProgressLogger', 'verbose', verbose, rules.oneOf('auto', 1, 2));
    this.out = terminal();
    this.bar = this.out !== null && (verbose === 1 ? true : verbose === 'auto' && this.out.isTTY === true);
  }

  private line(text: string): void {
    if (this.out) this.out.write(`${text}\n`);
    else console.log(text);
  }

  /** Draws over the line that stands there. It is cut at the edge of the terminal: of a line that goes on below it, only the end could be drawn over. */
  private draw(text: string): void {
    const { columns } = this.out!;
    this.out!.write(`\r\x1b[K${columns && columns > 1 ? text.slice(0, columns - 1) : text}`);
  }

  override onTrainBegin(info: TrainInfo): void {
    this.info = info;
    this.steps = info.steps;
    this.trainStart = Date.now();
  }

  override onEpochBegin(epoch: number): void {
    this.epoch = epoch;
    this.epochStart = Date.now();
    this.done = 0;
    if (this.bar) this.line(`Epoch ${epoch + 1}/${this.info.epochs}`);
  }

  override onTrainBatchEnd(batch: number, logs: Logs): void {
    const now = Date.now();
    this.done = batch + 1;
    if (!this.bar || now - this.lastDraw < 50) return;
    this.lastDraw = now;
    const { epochs } = this.info;
    const { steps } = this;
    const elapsed = (now - this.epochStart) / 1000;
    if (steps === null) {
      this.draw(`${batch + 1} batches ${formatDuration(elapsed)}${formatLogs(logs)}`);
      return;
    }
    const left = (elapsed / (batch + 1)) * (steps - batch - 1 + (epochs - this.epoch - 1) * steps);
    const width = 20;
    const done = Math.round((width * (batch + 1)) / steps);
    this.draw(
      `${batch + 1}/${steps} ${'━'.repeat(done)}${'─'.repeat(width - done)} ${formatDuration(left)} left${formatLogs(logs)}`,
    );
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const now = Date.now();
    const elapsed = (now - this.epochStart) / 1000;
    const { epochs } = this.info;
    this.steps ??= this.done;
    const steps = this.done;
    const perStep = formatDuration(elapsed / Math.max(1, steps));
    const left = ((now - this.trainStart) / 1000 / (epoch + 1)) * (epochs - epoch - 1);
    const eta = epoch + 1 < epochs ? `, ${formatDuration(left)} left` : '';
    if (this.bar)
      this.line(
        `\r\x1b[K${steps}/${steps} ${'━'.repeat(20)} ${formatDuration(elapsed)} ${perStep}/step${formatLogs(logs)}`,
      );
    else this.line(`Epoch ${epoch + 1}/${epochs} - ${formatDuration(elapsed)}${eta}${formatLogs(logs)}`);
  }
}
