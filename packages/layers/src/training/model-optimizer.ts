import {
  type LearningRate,
  LossScaleOptimizer,
  type Optimizer,
  type OptimizerState,
  type SerializedOptimizer,
  serializeOptimizer,
} from '@recurra/optim';
import type { Slots } from '@recurra/optim/extend';
import { scalar, type Tensor, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { distinct } from '../base/naming.js';
import { copyOf, Variable } from '../base/variable.js';

/** What an optimizer keeps of one parameter. */
export interface Kept {
  readonly slots: Readonly<Record<string, Variable>>;
  readonly average: Variable | null;
  readonly accumulator: Variable | null;
}

/**
 * The optimizer of a compiled model: its rule, and the state as variables that compiled steps update in place. What is kept of a parameter
 * is found by that parameter: freezing some and thawing them again loses nothing.
 */
export class ModelOptimizer {
  /** The rule: a pure optimizer. */
  readonly rule: Optimizer;
  private readonly iteration: Variable;
  private readonly rate: Variable | null;
  private shared: Readonly<Record<string, Variable>> | null = null;
  private readonly kept = new Map<Variable, Kept>();

  constructor(rule: Optimizer) {
    this.rule = rule;
    this.iteration = this.state('iteration', scalar(0, 'int32'));
    this.rate = typeof rule.learningRate === 'number' ? this.state('learning_rate', scalar(rule.learningRate)) : null;
  }

  private state(name: string, value: Tensor): Variable {
    return new Variable(value, `optimizer/${name}`, { role: 'state' });
  }

  /** Is its state there? From the first step on. */
  get built(): boolean {
    return this.shared !== null;
  }

  /** Name of the rule's class. */
  get name(): string {
    return this.rule.name;
  }

  /** Steps taken so far. */
  get iterations(): number {
    return this.iteration.value.item();
  }

  /** The learning rate of the next step. Setting it takes effect there; with a schedule it throws `ValueError`. */
  get learningRate(): number {
    return (this.rate ? this.rate.value : this.rule.currentLearningRate(this.counter())).item();
  }

  set learningRate(value: number) {
    if (!this.rate)
      throw new ValueError(
        `optimizer: expected a number as learning rate to be replaced, found a schedule. Compile with a number to change it while training.`,
      );
    if (typeof value !== 'number' || !(value >= 0 && Number.isFinite(value)))
      throw new ValueError(`optimizer: expected a finite learning rate >= 0, received ${describeValue(value)}`);
    this.rate.assign(scalar(value));
  }

  /** A number, or a schedule. */
  get schedule(): LearningRate {
    return this.rule.learningRate;
  }

  /** All state: iterations, learning rate, and what is kept of every parameter that was trained. */
  get variables(): readonly Variable[] {
    return [
      this.iteration,
      ...(this.rate ? [this.rate] : []),
      ...Object.values(this.shared ?? {}),
      ...[...this.kept.values()].flatMap(({ slots, average, accumulator }) => [
        ...Object.values(slots),
        ...(average ? [average] : []),
        ...(accumulator ? [accumulator] : []),
      ]),
    ];
  }

  /** Makes what is kept of parameters that were not trained so far. */
  prepare(parameters: readonly Variable[]): void {
    const fresh = parameters.filter((p) => !this.kept.has(p));
    if (fresh.length === 0 && this.shared) return;
    const state = this.rule.init(Object.fromEntries(keysOf(fresh).map((key, i) => [key, fresh[i]!.value])));
    this.shared ??= this.variablesOf('shared', state.shared);
    fresh.forEach((p, i) => {
      this.kept.set(p, {
        slots: this.variablesOf(p.path, state.slots[i]!),
        // Of one value so far, the average is that: also of a parameter that is thawed late.
        average: state.averages[i] ? this.state(`${p.path}/average`, copyOf(p.value)) : null,
        accumulator: state.accumulators[i] ? this.state(`${p.path}/accumulator`, state.accumulators[i]) : null,
      });
    });
  }

  /** What it is made of, for files: of each of these weights what is kept of it, where there is anything. */
  parts(parameters: readonly Variable[]): {
    readonly iteration: Variable;
    readonly rate: Variable | null;
    readonly shared: Readonly<Record<string, Variable>>;
    readonly kept: readonly Kept[];
  } {
    const kept = parameters.map((p) => this.kept.get(p) ?? { slots: {}, average: null, accumulator: null });
    return { iteration: this.iteration, rate: this.rate, shared: this.shared ?? {}, kept };
  }

  /** The class of the rule that a `LossScaleOptimizer` goes around; `null` without one. */
  get innerName(): string | null {
    return this.rule instanceof LossScaleOptimizer ? this.rule.inner.name : null;
  }

  private variablesOf(path: string, slots: Slots): Record<string, Variable> {
    return Object.fromEntries(
      Object.entries(slots).map(([name, value]) => [name, this.state(`${path}/${name}`, value)]),
    );
  }

  private counter(): OptimizerState {
    return { iteration: this.iteration.value, slots: [], shared: {}, averages: [], accumulators: [] };
  }

  private current(parameters: readonly Variable[]): OptimizerState {
    const kept = parameters.map((p) => this.kept.get(p)!);
    return {
      iteration: this.iteration.value,
      slots: kept.map((k) => valuesOf(k.slots)),
      shared: valuesOf(this.shared!),
      averages: kept.flatMap((k) => (k.average ? [k.average.value] : [])),
      accumulators: kept.flatMap((k) => (k.accumulator ? [k.accumulator.value] : [])),
    };
  }

  /** The loss that gradients are taken of: the rule may scale it, and takes the scale out of the gradients. */
  scaleLoss(loss: Tensor): Tensor {
    return this.rule.scaleLoss(loss, { ...this.counter(), shared: valuesOf(this.shared ?? {}) });
  }

  /** One step: assigns new values to the parameters, which their constraints bound, and to the state. */
  apply(parameters: readonly Variable[], gradients: readonly Tensor[]): void {
    const keys = keysOf(parameters);
    const record = (values: readonly Tensor[]): Record<string, Tensor> =>
      Object.fromEntries(keys.map((key, i) => [key, values[i]!]));
    const next = this.rule.update(
      record(gradients),
      this.current(parameters),
      record(parameters.map((p) => p.value)),
      ...(this.rate ? [this.rate.value] : []),
    );
    const { iteration, slots, shared, averages, accumulators } = next.state;
    parameters.forEach((p, i) => {
      const value = next.parameters[keys[i]!]!;
      p.assign(p.constraint ? p.constraint.apply(value) : value);
      const kept = this.kept.get(p)!;
      assignSlots(kept.slots, slots[i]!, p.path);
      kept.average?.assign(averages[i]!);
      kept.accumulator?.assign(accumulators[i]!);
    });
    this.iteration.assign(iteration);
    assignSlots(this.shared!, shared, 'shared');
  }

  /** Does the rule keep moving averages of the parameters (`useEma`)? */
  get hasAverages(): boolean {
    return this.rule.keepsAverages;
  }

  /** Are the averages in the parameters' place, and the parameters in theirs? See {@link swapAverages}. */
  swapped = false;

  /** Exchanges the parameters and their moving averages; once more, and all is as before. */
  swapAverages(): void {
    for (const [parameter, { average }] of this.kept) {
      if (!average) continue;
      const value = copyOf(parameter.value);
      parameter.assign(copyOf(average.value));
      average.assign(value);
    }
    this.swapped = !this.swapped;
  }

  /** Puts the moving averages of the parameters in their place, where the rule keeps them. */
  finalize(): void {
    const { swapped } = this;
    this.swapped = false;
    for (const [parameter, { average }] of this.kept) {
      if (!average) continue;
      if (swapped) average.assign(copyOf(parameter.value));
      else parameter.assign(copyOf(average.value));
    }
  }

  /** The rule's configuration, with the learning rate as it is now. */
  getConfig(): Readonly<Record<string, unknown>> {
    return this.rule.getConfig(...(this.rate ? [this.learningRate] : []));
  }

  /** Class and configuration of the rule, with the learning rate as it is now: what `compile` takes, and `deserializeOptimizer` reads. */
  serialize(): SerializedOptimizer {
    return serializeOptimizer(this.rule, ...(this.rate ? [this.learningRate] : []));
  }
}

/** Keys of parameters that are different even where their paths are equal. */
function keysOf(parameters: readonly Variable[]): string[] {
  return distinct(parameters.map((p) => p.path));
}

function valuesOf(slots: Readonly<Record<string, Variable>>): Slots {
  return Object.fromEntries(Object.entries(slots).map(([name, v]) => [name, v.value]));
}

function assignSlots(variables: Readonly<Record<string, Variable>>, values: Slots, path: string): void {
  const names = Object.keys(variables);
  if (names.length !== Object.keys(values).length || names.some((name) => !Object.hasOwn(values, name)))
    throw new ValueError(
      `optimizer: expected the state ${names.join(', ')} of "${path}" after a step, received ${Object.keys(values).join(', ')}`,
    );
  for (const name of names) variables[name]!.assign(values[name]!);
}
