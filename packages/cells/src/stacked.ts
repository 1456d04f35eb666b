import { type DType, type Shape, splitKey, type Tensor } from '@recurra/tensor';
import { checkRules, checkValue, nextKey, type Rule, rules, sameShape } from '@recurra/tensor/extend';
import {
  type AnyCell,
  type Cell,
  type CellStep,
  type Constants,
  type DropoutMasks,
  describeCell,
  expectCell,
  outputShapeOf,
  stepAxesOf,
  type WeightRules,
} from './cell.js';
import type { InitializeOptions } from './initializers.js';

const CELLS: Rule = {
  expected: 'a list of at least one cell',
  accepts: (v) => Array.isArray(v) && v.length > 0,
};

const OPTIONS = { residual: rules.flag };

/**
 * Cells one upon the other: the output of each is the input of the next. Parameters and states are lists, one entry a cell.
 * With `residual`, a cell whose output has the shape of its input gives their sum (He et al. 2016), which lets gradients pass
 * by; others are left as they are. Keras `StackedRNNCells`.
 */
export class StackedRNNCells implements Cell<unknown[], unknown[]> {
  readonly className = 'StackedRNNCells';
  readonly cells: readonly AnyCell[];
  readonly residual: boolean;

  constructor(cells: readonly AnyCell[], options: { readonly residual?: boolean } = {}) {
    checkRules('StackedRNNCells', options, OPTIONS);
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

  /** Those of the first. */
  get stepAxes(): readonly string[] {
    return stepAxesOf(this.cells[0]!);
  }

  /** That of the last. */
  outputShape(step: Shape): Shape {
    return this.steps(step)[this.cells.length]!;
  }

  expectParams(params: unknown[], step: Shape): void {
    checkValue('StackedRNNCells', 'the parameters', params, {
      expected: `a list of those of ${this.cells.length} cells`,
      accepts: (v) => Array.isArray(v) && v.length === this.cells.length,
    });
    const steps = this.steps(step);
    this.cells.forEach((cell, i) => {
      cell.expectParams?.(params[i], steps[i]!);
    });
  }

  init(inputSize: number, options: InitializeOptions = {}, step: Shape = [inputSize]): unknown[] {
    const keys = splitKey(options.key ?? nextKey(), this.cells.length);
    const steps = this.steps(step);
    return this.cells.map((cell, i) => cell.init(steps[i]!.at(-1)!, { ...options, key: keys[i]! }, steps[i]!));
  }

  initialState(batch: number, dtype: DType = 'float32', step?: Shape): unknown[] {
    const steps = step && this.steps(step);
    return this.cells.map((cell, i) => cell.initialState(batch, dtype, steps?.[i]));
  }

  drawMasks(
    batch: number,
    inputSize: number,
    options: InitializeOptions = {},
    step: Shape = [inputSize],
  ): DropoutMasks | null {
    const keys = splitKey(options.key ?? nextKey(), this.cells.length);
    const steps = this.steps(step);
    const cells = this.cells.map((cell, i) =>
      cell.drawMasks(batch, steps[i]!.at(-1)!, { ...options, key: keys[i]! }, steps[i]!),
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
      x = this.residual && sameShape(x.shape, result.output.shape) ? result.output.add(x) : result.output;
    });
    return { output: x, state: next };
  }

  /** Shapes of one step, the batch aside: the inputs of all cells, and the output of the last. */
  private steps(step: Shape): Shape[] {
    const shapes = [step];
    for (const cell of this.cells) shapes.push(outputShapeOf(cell, shapes.at(-1)!));
    return shapes;
  }
}
