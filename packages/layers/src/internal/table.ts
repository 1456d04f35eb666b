import { ValueError } from '@recurra/tensor';

/** Columns of a table. */
export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right' | 'center';
}

/** Half to even, as Python rounds: widths are those of Keras' tables. */
function round(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

/** The widths of columns that end at such shares of a line: Keras' rule, and that of Python's `rich` where they do not fit. */
function widthsOf(positions: readonly number[], lineLength: number): number[] {
  let current = 0;
  const widths = positions.map((position) => {
    const width = Math.trunc(position * lineLength) - current;
    if (width < 4)
      throw new ValueError(`summary: expected a line that holds all columns, received lineLength ${lineLength}`);
    current += width;
    return width + 2;
  });
  let excess = widths.reduce((a, b) => a + b, 0) - (lineLength - widths.length - 1);
  if (excess <= 0) return widths.map((w) => w - 2);
  return widths.map((width, i) => {
    const less = round(excess / (widths.length - i));
    excess -= less;
    return width - less - 2;
  });
}

/** A text in lines of at most `width`, broken at spaces; a longer word ends with an ellipsis. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.match(/\s*\S+\s*/g) ?? ['']) {
    if (line !== '' && line.length + word.trimEnd().length > width) {
      lines.push(line);
      line = '';
    }
    line += word;
  }
  lines.push(line);
  return lines.map((l) => l.trimEnd()).map((l) => (l.length > width ? `${l.slice(0, width - 1)}…` : l));
}

function padded(text: string, width: number, align: Column['align']): string {
  if (align === 'right') return text.padStart(width);
  const before = align === 'center' ? Math.floor((width - text.length) / 2) : 0;
  return ' '.repeat(Math.max(0, before)).concat(text).padEnd(width);
}

/** Rows as a table with lines around its cells, whose columns end at `positions` (shares of the line). */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  positions: readonly number[],
  lineLength: number,
): string[] {
  const widths = widthsOf(positions, lineLength);
  const bar = (left: string, between: string, right: string, fill: string): string =>
    left + widths.map((w) => fill.repeat(w + 2)).join(between) + right;
  const row = (cells: readonly string[], edge: string): string[] => {
    const lines = cells.map((cell, i) => wrap(cell, widths[i]!));
    return Array.from({ length: Math.max(...lines.map((l) => l.length)) }, (_, n) => {
      const texts = lines.map((cell, i) => padded(cell[n] ?? '', widths[i]!, columns[i]!.align));
      return `${edge} ${texts.join(` ${edge} `)} ${edge}`;
    });
  };
  const titles = columns.map((c) => c.title);
  return [
    bar('┏', '┳', '┓', '━'),
    ...row(titles, '┃'),
    bar('┡', '╇', '┩', '━'),
    ...rows.flatMap((cells, i) => [...(i > 0 ? [bar('├', '┼', '┤', '─')] : []), ...row(cells, '│')]),
    bar('└', '┴', '┘', '─'),
  ];
}
