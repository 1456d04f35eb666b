import { checkOptions } from '@recurra/tensor/extend';
import { expectInteger } from '../../base/options.js';

/** Arguments of a call of layers that give positions. */
export interface PositionArguments {
  /** The place of the first step; 0. */
  readonly startIndex?: number;
}

/** The place of the first step. Throws `ValueError` for arguments that there are not. */
export function checkPositionArguments(label: string, given: object): number {
  checkOptions(label, given as PositionArguments, { training: true, mask: true, startIndex: true } as never);
  return expectInteger(label, 'startIndex', (given as PositionArguments).startIndex ?? 0, 0);
}
