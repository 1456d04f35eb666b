import { formatBytes, type Heap } from '@recurra/kernels';
import { MemoryError } from '../../memory.js';

/** Bytes that a step needs, all together, and how many of them it has. */
export interface Needs {
  readonly arena: number;
  readonly plan: number;
  readonly variables: number;
  /** Of the plan's and the variables'. */
  readonly held: number;
}

/** How many holders of each kind are named in messages. */
const NAMED = 3;

/** What does not fit, and what is in its way. */
export function memoryError(
  step: string,
  { arena, plan, variables, held }: Needs,
  heap: Heap,
  others: number,
): MemoryError {
  const total = arena + plan + variables;
  const mayFit = total <= heap.limit;
  const parts = [
    `${formatBytes(arena)} of intermediate values`,
    `${formatBytes(variables)} of variables`,
    `${formatBytes(plan)} of constants and commands`,
  ].join(', ');
  const need = `${step}: expected ${formatBytes(total)} (${parts}) to fit into the ${formatBytes(heap.limit)} that WebAssembly memory may grow to`;
  if (!mayFit)
    return new MemoryError(`${need}, received a step that is larger. Use smaller batches or shorter sequences.`, false);
  return new MemoryError(
    `${need}, of which ${formatBytes(others + held)} are held: ${holdings(heap)}. Call dispose() of models, steps and variables that are no longer needed, or use smaller batches or shorter sequences.`,
    true,
  );
}

/** Number and size of what holds memory, by kind, and the largest by name. */
function holdings(heap: Heap): string {
  const kinds = new Map<string, { count: number; bytes: number; names: Map<string, number> }>();
  for (const { holder, bytes } of heap.holdings()) {
    let kind = kinds.get(holder.kind);
    if (!kind) {
      kind = { count: 0, bytes: 0, names: new Map() };
      kinds.set(holder.kind, kind);
    }
    kind.count++;
    kind.bytes += bytes;
    kind.names.set(holder.name, (kind.names.get(holder.name) ?? 0) + bytes);
  }
  return [...kinds]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([kind, { count, bytes, names }]) => {
      const largest = [...names].sort(([, a], [, b]) => b - a).slice(0, NAMED);
      const named = largest.map(([name, size]) => `"${name}" ${formatBytes(size)}`).join(', ');
      return `${count} ${kind} (${formatBytes(bytes)}; ${names.size > NAMED ? 'the largest: ' : ''}${named})`;
    })
    .join(', ');
}
