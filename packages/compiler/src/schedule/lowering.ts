import type { Block, LowerContext } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import { denseRef, type Ref } from './buffer.js';
import type { Emission } from './emission.js';

/** Lets an operation of another package write its own commands. */
export function emitLowered(emission: Emission, node: Node, isRead: (value: Value) => boolean): void {
  const blocks = new Map<Block, Ref>();
  const block = (ref: Ref): Block => {
    const made: Block = { shape: ref.shape, dtype: ref.dtype };
    blocks.set(made, ref);
    return made;
  };
  const context: LowerContext<unknown> = {
    inputs: node.inputs.map((v) => block(emission.dense(emission.refOf(v)))),
    outputs: node.outputs.map((v) => (isRead(v) ? block(emission.refOf(v)) : null)),
    params: node.params,
    scratch: (bytes) => block(denseRef('float32', [Math.ceil(bytes / 4)])),
    emit: (command, fields, work) => {
      const placed = Object.entries<number | Block | null>(fields).map(([name, field]) => [
        name,
        field === null || typeof field === 'number' ? field : emission.address(blocks.get(field)!),
      ]);
      emission.program.command(node.primitive.name, command, Object.fromEntries(placed), work);
    },
  };
  node.primitive.lower!(context);
}
