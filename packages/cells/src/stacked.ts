import { type DType, splitKey, type Tensor } from '@recurra/tensor';
import { checkRules, checkValue, nextKey, type Rule, rules } from '@recurra/tensor/extend';
import {
  type AnyCell,
  type Cell,
  type CellStep,
  type Constants,
  type DropoutMasks,
  describeCell,
  expectCell,
  type WeightRules,
} from './cell.js';
import type { InitializeOptions } from './initializers.js';

const CELLS: Rule = {
  expected: 'a list of at least one cell',
  accepts: (v) => Array.isArray(v) && v.length > 0,
};

/**
 * Cells one upon the other: the output of each is the input of the next. Parameters and states are lists, one entry a cell.
 * With `residual`, a cell whose output is as wide as its input gives their sum (He et al. 2016), which lets gradients pass
 * by; others are left as they are. Keras `StackedRNNCells`.
 */
export class StackedRNNCells implements Cell<unknown[], unknown[]> {
  readonly className = 'StackedRNNCells';
  readonly cells: readonly AnyCell[];
  readonly residual: boolean;

  constructor(cells: readonly AnyCell[], options: { readonly residual?: boolean } = {}) {
    checkRules('StackedRNNCells', options, { residual: rules.flag });
    checkValue('StackedRNNCells', 'the cells', cells, CELLS);
    for (const cell of cells) expectCell('StackedRNNCells', cell);
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

  /** Does one of the cells? The others do not see them. */
  get takesConstants(): boolean {
    return this.cells.some((cell) => cell.takesConstants);
  }

  /** The first that a cell has. */
  get seed(): number | null {
    return this.cells.map((cell) => cell.seed ?? null).find((seed) => seed !== null) ?? null;
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

  step(
    params: unknown[],
    input: Tensor,
    state: unknown[],
    masks?: DropoutMasks,
    constants?: Constants,
  ): CellStep<unknown[]> {
    let x = input;
    const next: unknown[] = [];
    this.cells.forEach((cell, i) => {
      const own = masks?.cells?.[i];
      const result = cell.step(params[i], x, state[i], own, cell.takesConstants ? constants : undefined);
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
