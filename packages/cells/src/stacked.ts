import { checkRules, checkValue, type DType, nextKey, type Rule, rules, splitKey, type Tensor } from '@recurra/tensor';
import { type Cell, type DropoutMasks, describeCell, type WeightRules } from './cell.js';
import type { InitializeOptions } from './initializers.js';

// biome-ignore lint/suspicious/noExplicitAny: cells of any parameters and states
type AnyCell = Cell<any, any>;

/** Anything that walks like a cell. */
export const isCell = (v: unknown): v is AnyCell =>
  typeof v === 'object' && v !== null && typeof (v as AnyCell).step === 'function' && 'outputSize' in v;
const CELLS: Rule = {
  expected: 'a list of at least one cell',
  accepts: (v) => Array.isArray(v) && v.length > 0 && v.every(isCell),
};

/**
 * Cells one upon the other: the output of each is the input of the next. Parameters and states are lists, one entry a cell.
 * With `residual`, a cell whose output is as wide as its input gives their sum (He et al. 2016), which lets gradients pass
 * by; others are left as they are. Keras `StackedRNNCells`.
 */
export class StackedCells implements Cell<unknown[], unknown[]> {
  readonly className = 'StackedRNNCells';
  readonly cells: readonly AnyCell[];
  readonly residual: boolean;

  constructor(cells: readonly AnyCell[], options: { readonly residual?: boolean } = {}) {
    checkRules('StackedCells', options, { residual: rules.flag });
    checkValue('StackedCells', 'the cells', cells, CELLS);
    this.cells = cells;
    this.residual = options.residual ?? false;
  }

  /** The cells, as Keras' `get_config`. Throws `ValueError` for a cell that does not say how it is made. */
  getConfig(): Readonly<Record<string, unknown>> {
    return { cells: this.cells.map(describeCell), ...(this.residual ? { residual: true } : {}) };
  }

  rules(path: string): WeightRules {
    const [index, ...rest] = path.split('.');
    return this.cells[Number(index)]!.rules?.(rest.join('.')) ?? {};
  }

  get outputSize(): number {
    return this.cells[this.cells.length - 1]!.outputSize;
  }

  init(inputSize: number, options: InitializeOptions = {}): unknown[] {
    const keys = splitKey(options.key ?? nextKey(), this.cells.length);
    return this.cells.map((cell, i) => cell.init(this.inputSizeOf(i, inputSize), { ...options, key: keys[i]! }));
  }

  initialState(batch: number, dtype: DType = 'float32'): unknown[] {
    return this.cells.map((cell) => cell.initialState(batch, dtype));
  }

  drawMasks(batch: number, inputSize: number, options: InitializeOptions = {}): DropoutMasks | null {
    const keys = splitKey(options.key ?? nextKey(), this.cells.length);
    const cells = this.cells.map((cell, i) =>
      cell.drawMasks(batch, this.inputSizeOf(i, inputSize), { ...options, key: keys[i]! }),
    );
    if (cells.every((m) => m === null)) return null;
    return { cells: cells.map((m) => m ?? {}) };
  }

  step(params: unknown[], input: Tensor, state: unknown[], masks?: DropoutMasks): { output: Tensor; state: unknown[] } {
    let x = input;
    const next: unknown[] = [];
    this.cells.forEach((cell, i) => {
      const own = masks?.cells?.[i];
      const result = cell.step(params[i], x, state[i], own);
      next.push(result.state);
      const wide = x.shape[x.rank - 1] === cell.outputSize;
      x = this.residual && wide ? result.output.add(x) : result.output;
    });
    return { output: x, state: next };
  }

  private inputSizeOf(i: number, inputSize: number): number {
    return i === 0 ? inputSize : this.cells[i - 1]!.outputSize;
  }
}
