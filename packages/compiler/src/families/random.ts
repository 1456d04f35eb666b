import { Command } from '@recurra/kernels';
import { type RandomParams, sizeOf } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Emission } from '../schedule/emission.js';
import type { Family } from './family.js';

function emitRandom(emission: Emission, node: Node): boolean {
  const key = emission.dense(emission.refOf(node.inputs[0]!));
  const out = emission.refOf(node.outputs[0]!);
  const { kind, dtype, stream = 0 } = node.params as RandomParams;
  const bits = kind === 'bits' && dtype === 'int32';
  if (!bits && !(kind === 'uniform' && dtype === 'float32')) return false;
  if (sizeOf(out.shape) === 0) return true;
  emission.program.command(
    `random ${kind}`,
    Command.random,
    {
      ...{ count: sizeOf(out.shape), uniform: bits ? 0 : 1, stream },
      ...{ key: emission.address(key), to: emission.address(out) },
    },
    sizeOf(out.shape) * 12,
  );
  return true;
}

/** Uniform float32 numbers cost less to draw again, wherever they are needed, than to keep. */
function draws(node: Node): { readonly stream: number } | null {
  const { kind, dtype, stream = 0 } = node.params as RandomParams;
  return kind === 'uniform' && dtype === 'float32' ? { stream } : null;
}

/** Random numbers. */
export const RANDOM: Family = { random: { emit: emitRandom, draws } };
