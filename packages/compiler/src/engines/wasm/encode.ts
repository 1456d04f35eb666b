import { Record as Records, SERIAL, wordsOf } from '@recurra/kernels';
import type { Address, Command } from '../../schedule/program.js';

/** A command as words, of which those in `fixups` are addresses to be filled in. */
export interface Encoded {
  readonly command: Command;
  readonly words: readonly number[];
  readonly fixups: readonly { readonly at: number; readonly address: Address }[];
  /** The commands that a loop repeats; they follow its own words. */
  readonly body: readonly Encoded[];
  /** Words, with those of the body. */
  readonly length: number;
}

/** What an engine fills in as it assembles a command, by name. */
export type Filling = (command: Command) => Readonly<Record<string, number>>;

/** Assembles a command. Lengths of its lists are filled in, and what `fill` says. */
export function encode(command: Command, fill: Filling): Encoded {
  const { layout, fields, records, shared } = command;
  const counts: Record<string, number> = {};
  const lists: (number | Address)[] = [];
  for (const [count, name] of Object.entries(layout.records)) {
    const list = records[count] ?? [];
    counts[count] = list.length;
    for (const record of list) lists.push(...wordsOf(Records[name as keyof typeof Records], record));
  }
  const header = 2 + layout.words.length + lists.length;
  const body = command.body.map((inner) => encode(inner, fill));
  const length = body.reduce((sum, inner) => sum + inner.length, header);
  const operands = [...wordsOf(layout, { ...fields, ...counts, header, ...fill(command) }), ...lists];
  const words = [layout.number, shared ? length : length | SERIAL];
  const fixups: { at: number; address: Address }[] = [];
  for (const operand of operands) {
    if (typeof operand !== 'number') fixups.push({ at: words.length, address: operand });
    words.push(typeof operand === 'number' ? operand : 0);
  }
  return { command, words, fixups, body, length };
}
