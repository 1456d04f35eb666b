import { HeapError, type Holder } from '@recurra/kernels';
import type { LinearMemory } from '../memory.js';
import { type ChainShape, compileChain } from './chain.js';

/** More shapes of chains than this stay with the interpreter: compiled ones are kept. */
const MAX_CHAINS = 1024;
const CHAINS: Holder = { kind: 'compiled chains', name: 'chains' };

/**
 * Compiled chains, by shape: each gets a slot in the table of functions of every thread. Their modules lie in the shared memory,
 * where workers find them: [address, bytes] of each, in order of the slots.
 */
export class Chains {
  private readonly memory: LinearMemory;
  private readonly slots = new Map<string, number>();
  private readonly first: number;
  private directory = 0;
  private count = 0;

  constructor(memory: LinearMemory) {
    this.memory = memory;
    this.first = memory.kernels.exports.table.length;
  }

  /** The slot of a chain of this shape, or 0 where the interpreter runs it. */
  slotOf(shape: ChainShape): number {
    const key = JSON.stringify(shape);
    const known = this.slots.get(key);
    if (known !== undefined) return known;
    const slot = this.count < MAX_CHAINS ? this.compile(shape) : 0;
    if (slot !== null) this.slots.set(key, slot);
    return slot ?? 0;
  }

  /** The slot of a new chain; 0 where the interpreter has to run it, `null` where it has to for now, for want of memory. */
  private compile(shape: ChainShape): number | null {
    const { kernels } = this.memory;
    const bytes = compileChain(shape, kernels.shared);
    if (!bytes) return 0;
    const { heap, exports } = kernels;
    let address: number;
    try {
      if (this.directory === 0) this.directory = heap.allocate(MAX_CHAINS * 8, CHAINS);
      address = heap.allocate(bytes.length, CHAINS);
    } catch (error) {
      if (error instanceof HeapError) return null;
      throw error;
    }
    install(new WebAssembly.Module(bytes), heap.memory, exports as unknown as WebAssembly.Exports, exports.table);
    heap.arrays.u8.set(bytes, address);
    this.memory.words(this.directory + this.count * 8, 2).set([address, bytes.length]);
    return this.first + this.count++;
  }

  /** Where workers find the modules, and how many there are. */
  get catalogue(): { readonly directory: number; readonly count: number } {
    return { directory: this.directory, count: this.count };
  }
}

/** Puts the function of a module at the end of a table. Workers do the same, in the same order. */
function install(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernels: WebAssembly.Exports,
  table: WebAssembly.Table,
): void {
  const { exports } = new WebAssembly.Instance(module, {
    env: { memory },
    kernels: kernels as WebAssembly.ModuleImports,
  });
  table.set(table.grow(1), exports['run']);
}
