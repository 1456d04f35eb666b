import { type KernelExports, SCRATCH_BYTES } from '@recurra/kernels';
import type { Sized } from '../../schedule/buffer.js';
import type { Schedule } from '../../schedule/schedule.js';
import { everyCommand, type Supports } from '../../schedule/supports.js';
import type { Engine, Prepared, Threads } from '../engine.js';
import { isThreaded } from '../threads.js';
import { Chains } from './emit/chains.js';
import { chainShape } from './emit/shape.js';
import type { Filling } from './encode.js';
import { Executor } from './executor.js';
import { type LinearMemory, linearMemory } from './memory.js';
import { Pool } from './pool.js';
import { type Crew, LinearProgram, type Runner } from './program.js';

/** The functions of the kernels that count float32 values of blocks, with what they are told. */
const SIZES: Readonly<
  Record<string, { readonly of: readonly string[]; readonly blocks: Readonly<Record<string, keyof KernelExports>> }>
> = {
  sequenceForward: {
    of: ['kind', 'batch', 'time', 'features', 'units'],
    blocks: { residual: 'residualSize', scratch: 'forwardScratch' },
  },
  sequenceBackward: {
    of: ['kind', 'batch', 'time', 'features', 'units'],
    blocks: { scratch: 'backwardScratch' },
  },
  recurrenceForward: {
    of: ['kind', 'batch', 'time', 'units'],
    blocks: { residual: 'recurrenceResidual', scratch: 'recurrenceForwardScratch' },
  },
  recurrenceBackward: {
    of: ['kind', 'batch', 'time', 'units'],
    blocks: { scratch: 'recurrenceBackwardScratch' },
  },
};

/** The kernels of WebAssembly, on the calling thread or on workers over its shared memory. It runs everywhere. */
export class WasmEngine implements Engine, Runner {
  readonly name = 'wasm';
  readonly storage: LinearMemory = linearMemory();
  readonly supports: Supports = everyCommand;
  private readonly chains = new Chains(this.storage);
  /** Its workers. */
  readonly pool: Pool = new Pool(this.storage, (count) => Executor.start(this.storage, this.chains, count));

  get engine(): Engine {
    return this;
  }

  size({ layout, fields, name }: Sized): number {
    const { of, blocks } = SIZES[layout.name]!;
    const count = this.storage.kernels.exports[blocks[name]!] as (...sizes: number[]) => number;
    return count(...of.map((field) => fields[field] as number)) * 4;
  }

  /** Long chains become functions of their own. */
  readonly fill: Filling = (command) => {
    if (command.layout.name !== 'chain') return {};
    const shape = chainShape(command);
    const slot = shape ? this.chains.slotOf(shape) : 0;
    return slot === 0 ? {} : { slot, row: shape!.row };
  };

  prepare(schedule: Schedule, name: string): Prepared {
    return new LinearProgram(schedule, this.storage, this, name);
  }

  run(start: number, end: number): void {
    const { exports, control, scratch } = this.storage.kernels;
    exports.run(start, end, 0, 1, control, scratch, SCRATCH_BYTES);
  }

  crew(work: number): Crew | Promise<Crew | null> | null {
    return isThreaded(work) ? this.pool.workers() : null;
  }

  threads(): Threads {
    return this.pool.threads();
  }

  endThreads(): Promise<void> {
    return this.pool.end();
  }
}
