/** Operators that were written as several simpler ones, before there was one: found in the graph, and put back. */
import type { Constant } from '../graph.js';
import type { AttributeProto, GraphProto, NodeProto } from '../proto.js';
import { readTensor } from '../read.js';

/** A graph in which one looks up who gives a name, and who reads it. */
class Links {
  readonly giver: Map<string, NodeProto> = new Map();
  private readonly readers: Map<string, NodeProto[]> = new Map();
  private readonly outputs: ReadonlySet<string>;
  private readonly constants: ReadonlyMap<string, Constant>;

  constructor(graph: GraphProto, constants: ReadonlyMap<string, Constant>) {
    this.constants = constants;
    this.outputs = new Set(graph.output.map(({ name }) => name));
    for (const node of graph.node) {
      for (const name of node.output) this.giver.set(name, node);
      for (const name of new Set(node.input)) this.readers.set(name, [...(this.readers.get(name) ?? []), node]);
    }
  }

  /** The constant of one element under a name, as a number; `null` for others. */
  number(name: string | undefined): number | null {
    if (name === undefined) return null;
    const node = this.giver.get(name);
    const of = (key: string): AttributeProto | undefined =>
      node?.opType === 'Constant' ? node.attribute.find((a) => a.name === key) : undefined;
    const value = this.constants.get(name)?.value ?? (of('value')?.t && readTensor(of('value')!.t!).value);
    if (!value) return of('value_float')?.f ?? (of('value_int') ? Number(of('value_int')!.i) : null);
    return value.size === 1 ? Number(value.data[0]) : null;
  }

  isConstant(name: string): boolean {
    return this.constants.has(name) || this.giver.get(name)?.opType === 'Constant';
  }

  /** The node that gives a name, if it is such an operator. */
  by(name: string | undefined, op: string): NodeProto | null {
    const node = name === undefined ? undefined : this.giver.get(name);
    return node?.opType === op && node.domain === '' ? node : null;
  }

  /** The only node that reads what a node gives, if it is such an operator. */
  next(node: NodeProto, op: string): NodeProto | null {
    const name = node.output[0]!;
    const readers = this.readers.get(name) ?? [];
    return readers.length === 1 && !this.outputs.has(name) && readers[0]!.opType === op ? readers[0]! : null;
  }
}

/** What stands beside a name among the two inputs of a node. */
const other = (node: NodeProto, name: string): string | undefined =>
  node.input.length === 2 && node.input.includes(name) ? node.input[node.input[0] === name ? 1 : 0] : undefined;

const near = (a: number | null, b: number): boolean => a !== null && Math.abs(a - b) < 1e-4;

/** The last node of a pattern, and the one that stands for all of it. */
type Found = readonly [last: NodeProto, instead: NodeProto];

const made = (
  last: NodeProto,
  opType: string,
  input: readonly string[],
  attribute: readonly Partial<AttributeProto>[] = [],
): Found => [last, { ...last, opType, domain: '', input, attribute: attribute as readonly AttributeProto[] }];

/** x * 0.5 * (1 + erf(x / sqrt(2))), the factors in any order. */
function gelu(links: Links, erf: NodeProto): Found | null {
  const scaled = links.by(erf.input[0], 'Div') ?? links.by(erf.input[0], 'Mul');
  if (!scaled) return null;
  const [x, factor] = links.number(scaled.input[0]) === null ? scaled.input : [scaled.input[1], scaled.input[0]];
  if (x === undefined || !near(links.number(factor), scaled.opType === 'Div' ? Math.SQRT2 : Math.SQRT1_2)) return null;
  const plus = links.next(erf, 'Add');
  if (!plus || !near(links.number(other(plus, erf.output[0]!)), 1)) return null;
  const first = links.next(plus, 'Mul');
  const beside = first ? other(first, plus.output[0]!) : undefined;
  if (!first || beside === undefined) return null;
  const isHalf = (name: string | undefined): boolean => near(links.number(name), 0.5);
  // (1 + erf) * (x * 0.5)
  const half = links.by(beside, 'Mul');
  if (half?.input.includes(x) && isHalf(other(half, x))) return made(first, 'Gelu', [x]);
  const second = links.next(first, 'Mul');
  const last = second ? other(second, first.output[0]!) : undefined;
  if (!second || last === undefined) return null;
  return (beside === x && isHalf(last)) || (isHalf(beside) && last === x) ? made(second, 'Gelu', [x]) : null;
}

/** The axis of a mean that keeps it; `null` for others. */
function meanAxis(links: Links, node: NodeProto): readonly number[] | null {
  const ints = node.attribute.find(({ name }) => name === 'axes')?.ints.map(Number);
  const number = links.number(node.input[1]);
  const axes = ints ?? (number === null ? null : [number]);
  const keep = node.attribute.find(({ name }) => name === 'keepdims');
  return axes?.length === 1 && (!keep || Number(keep.i) === 1) ? axes : null;
}

/** (x - mean) / sqrt(mean((x - mean)^2) + epsilon), by axis -1. */
function layerNormalization(links: Links, divide: NodeProto): Found | null {
  const centred = links.by(divide.input[0], 'Sub');
  const root = links.by(divide.input[1], 'Sqrt');
  const sum = root && links.by(root.input[0], 'Add');
  if (!centred || !sum) return null;
  const mean = links.by(centred.input[1], 'ReduceMean');
  const at = sum.input.findIndex((name) => links.by(name, 'ReduceMean'));
  const variance = links.by(sum.input[at], 'ReduceMean');
  const epsilon = links.number(sum.input[1 - at]);
  if (!mean || !variance || epsilon === null || mean.input[0] !== centred.input[0]) return null;
  const power = links.by(variance.input[0], 'Pow');
  const product = links.by(variance.input[0], 'Mul');
  // The difference may have been written twice.
  const isCentred = (name: string | undefined): boolean => {
    const node = links.by(name, 'Sub');
    return node !== null && node.input.join() === centred.input.join();
  };
  const squared = power
    ? isCentred(power.input[0]) && near(links.number(power.input[1]), 2)
    : product !== null && product.input.length === 2 && product.input.every(isCentred);
  const axes = [mean, variance].map((node) => meanAxis(links, node)?.[0]);
  const [axis] = axes;
  if (!squared || axis === undefined || axes[1] !== axis) return null;
  const attributes = [
    { name: 'epsilon', f: epsilon },
    { name: 'axis', i: BigInt(axis) },
  ];
  const scaled = links.next(divide, 'Mul');
  const gamma = scaled ? other(scaled, divide.output[0]!) : undefined;
  if (!scaled || gamma === undefined || !links.isConstant(gamma))
    return made(divide, 'LayerNormalization', [centred.input[0]!], attributes);
  const moved = links.next(scaled, 'Add');
  const beta = moved ? other(moved, scaled.output[0]!) : undefined;
  return moved && beta !== undefined && links.isConstant(beta)
    ? made(moved, 'LayerNormalization', [centred.input[0]!, gamma, beta], attributes)
    : made(scaled, 'LayerNormalization', [centred.input[0]!, gamma], attributes);
}

const PATTERNS: Readonly<Record<string, (links: Links, node: NodeProto) => Found | null>> = {
  Erf: gelu,
  Div: layerNormalization,
};

/** The graph with one operator for each pattern that was found. What gave the parts stays, and is read by none. */
export function fused(graph: GraphProto, constants: ReadonlyMap<string, Constant>): GraphProto {
  if (!graph.node.some(({ opType }) => Object.hasOwn(PATTERNS, opType))) return graph;
  const links = new Links(graph, constants);
  const instead = new Map(
    graph.node.flatMap((node) => {
      const found = Object.hasOwn(PATTERNS, node.opType) ? PATTERNS[node.opType]!(links, node) : null;
      return found ? [found] : [];
    }),
  );
  return { ...graph, node: graph.node.map((node) => instead.get(node) ?? node) };
}
