import { Command, type Layout } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';
import { rulesOf } from '../families/index.js';
import type { Node, Value } from '../graph.js';
import { scanPrimitive } from '../scan.js';
import { denseRef, type Ref } from './buffer.js';
import type { Emission } from './emission.js';
import { emitLowered } from './lowering.js';
import { Address, isCommand, type Command as Planned, Program, typesOf } from './program.js';
import { everyCommand, type Supports } from './supports.js';

/** The types of what a node reads and writes. */
export function dtypesOf({ inputs, outputs }: Node): DType[] {
  return [...new Set([...inputs, ...outputs].map((v) => v.dtype))];
}

/** What is told of a command that an engine does not have. */
export function missingText({ name }: Layout, dtypes: readonly DType[]): string {
  return `the engine has no ${name}${dtypes.length > 0 ? ` of ${dtypes.join(', ')}` : ''}`;
}

/** An emission that leads nowhere: it tells what commands an operation would become. Every value lies dense, in a buffer of its own. */
class Trial implements Emission {
  readonly program: Program = new Program();
  private readonly refs = new Map<Value, Ref>();

  refOf(value: Value): Ref {
    const ref = this.refs.get(value) ?? denseRef(value.dtype, value.shape);
    this.refs.set(value, ref);
    return ref;
  }

  dense(ref: Ref): Ref {
    return ref;
  }

  address(ref: Ref): Address {
    return new Address(ref.buffer);
  }

  scalar(dtype: DType): Ref {
    return denseRef(dtype, []);
  }

  emitCopy(from: Ref, to: Ref, label: string): void {
    const [source, target] = [this.address(from), this.address(to)];
    const records = { inputs: [{ at: source }], outputs: [{ at: target }] };
    this.program.command(label, Command.chain, NO_WALK, 0, { records });
  }
}

const NO_WALK = { count: 0, registers: 0, d0: 0, d1: 0, d2: 0, d3: 0 };

/** The commands that a node would become, by its rules or by what it brings; none where it is evaluated or part of something else. */
function commandsOf(node: Node): Planned[] {
  const trial = new Trial();
  const rules = rulesOf(node.primitive);
  if (rules?.emit && !rules.emit(trial, node)) return [];
  if (!rules && node.primitive.lower) emitLowered(trial, node, () => true);
  return trial.program.steps.filter(isCommand);
}

/**
 * What the engine lacks of what a node would become, so that the host evaluates it: a text for explanations; `null` where it lacks nothing. A loop lacks
 * what its body lacks only once that is planned.
 */
export function lacking(node: Node, supports: Supports): string | null {
  if (supports === everyCommand) return null;
  const first = (layout: Layout, dtypes: readonly DType[]): string | null =>
    supports(layout, dtypes) ? null : missingText(layout, dtypes);
  if (node.primitive === (scanPrimitive as unknown)) return first(Command.loop, dtypesOf(node));
  const rules = rulesOf(node.primitive);
  if (dtypesOf(node).includes('float64')) return null;
  if (rules?.product && node.outputs[0]!.dtype === 'float32') return first(Command.gemm, ['float32']);
  if (rules?.chain?.(node) || rules?.view) return first(Command.chain, dtypesOf(node));
  for (const { layout, fields, records } of commandsOf(node)) {
    const missing = first(layout, typesOf(fields, records));
    if (missing !== null) return missing;
  }
  return needsKernel(node, supports)
    ? 'it reads what the kernel of its forward pass leaves, which the host has run'
    : null;
}

/**
 * Is it the way back of an operation that the host evaluates? What a forward kernel leaves for its backward kernel (gates, logarithms of sums) the host
 * does not. A way back takes all that the forward pass took, and what that gave.
 */
function needsKernel({ primitive, inputs }: Node, supports: Supports): boolean {
  if (!primitive.lower) return false;
  return inputs.some(({ source }) => {
    if (source.kind !== 'node' || !source.node.primitive.lower) return false;
    return source.node.inputs.every((v) => inputs.includes(v)) && lacking(source.node, supports) !== null;
  });
}

/** Is it evaluated on the calling thread, by code that may throw? */
export function isEvaluated(node: Node, supports: Supports): boolean {
  const rules = rulesOf(node.primitive);
  if (!rules) return !node.primitive.lower || lacking(node, supports) !== null;
  if (rules.view) return false;
  return (!rules.product && !rules.emit && !rules.chain?.(node)) || lacking(node, supports) !== null;
}
