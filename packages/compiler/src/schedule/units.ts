import type { Node } from '../graph.js';

/** A set of small integers. */
class Bits {
  private readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5);
  }

  has(i: number): boolean {
    return (this.words[i >>> 5]! & (1 << (i & 31))) !== 0;
  }

  add(i: number): void {
    this.words[i >>> 5]! |= 1 << (i & 31);
  }

  delete(i: number): void {
    this.words[i >>> 5]! &= ~(1 << (i & 31));
  }

  addAll(other: Bits): void {
    for (let k = 0; k < this.words.length; k++) this.words[k]! |= other.words[k]!;
  }

  some(f: (i: number) => boolean): boolean {
    for (let k = 0; k < this.words.length; k++) {
      let word = this.words[k]!;
      while (word !== 0) {
        const bit = 31 - Math.clz32(word & -word);
        if (f(k * 32 + bit)) return true;
        word &= word - 1;
      }
    }
    return false;
  }
}

/** Nodes that one command (or call) computes. */
export interface Unit {
  readonly id: number;
  readonly kind: 'chain' | 'matmul' | 'other';
  nodes: Node[];
  /** Elements of a chain; 0 for others. */
  readonly count: number;
  /** Steps of a chain. */
  operations: number;
}

/** Chains longer than this are cut, so that their blocks stay in cache. */
const MAX_OPERATIONS = 48;

/** Units with what each depends on; chains may be joined as long as that leaves an order. */
export class Units {
  private readonly units: Unit[] = [];
  private readonly before: Bits[] = [];
  private readonly alive: boolean[] = [];
  private readonly ofNode = new Map<Node, Unit>();
  private readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** The unit that computes a node. */
  of(node: Node): Unit | undefined {
    return this.ofNode.get(node);
  }

  /** A new unit that needs what `needs` compute. */
  add(kind: Unit['kind'], nodes: Node[], needs: Iterable<Node>, count = 0, operations = 0): Unit {
    const unit: Unit = { id: this.units.length, kind, nodes, count, operations };
    const before = new Bits(this.capacity);
    for (const node of needs) {
      const other = this.ofNode.get(node);
      if (!other || other === unit) continue;
      before.add(other.id);
      before.addAll(this.before[other.id]!);
    }
    this.units.push(unit);
    this.before.push(before);
    this.alive.push(true);
    for (const node of nodes) this.ofNode.set(node, unit);
    return unit;
  }

  /** Joins chain b to chain a, unless a third unit lies between them. Says whether it did. */
  join(a: Unit, b: Unit): boolean {
    if (a === b) return true;
    if (a.operations + b.operations > MAX_OPERATIONS) return false;
    const between = (x: Unit, y: Unit): boolean =>
      this.before[y.id]!.some((u) => u !== x.id && this.alive[u]! && this.before[u]!.has(x.id));
    if (between(a, b) || between(b, a)) return false;
    const before = this.before[a.id]!;
    before.addAll(this.before[b.id]!);
    before.delete(a.id);
    before.delete(b.id);
    this.alive[b.id] = false;
    a.nodes = [...a.nodes, ...b.nodes].sort((x, y) => x.index - y.index);
    a.operations += b.operations;
    for (const node of b.nodes) this.ofNode.set(node, a);
    // Whoever came after either now comes after both, and after all that those need.
    for (let u = 0; u < this.units.length; u++) {
      const set = this.before[u]!;
      if (u === a.id || !this.alive[u]) continue;
      if (set.has(a.id) || set.has(b.id)) {
        set.delete(b.id);
        set.add(a.id);
        set.addAll(before);
      }
    }
    return true;
  }

  /** The units in an order in which each comes after what it needs; else as the nodes were traced. */
  ordered(): Unit[] {
    const live = this.units.filter((u) => this.alive[u.id]);
    const rank = (u: Unit): number => u.nodes[u.nodes.length - 1]!.index;
    live.sort((a, b) => rank(a) - rank(b));
    const done = new Bits(this.capacity);
    const result: Unit[] = [];
    let waiting = live;
    while (waiting.length > 0) {
      const later: Unit[] = [];
      for (const unit of waiting) {
        if (this.before[unit.id]!.some((u) => this.alive[u]! && !done.has(u))) later.push(unit);
        else {
          done.add(unit.id);
          result.push(unit);
        }
      }
      if (later.length === waiting.length) throw new Error('compiler: units depend on each other in a circle');
      waiting = later;
    }
    return result;
  }
}
