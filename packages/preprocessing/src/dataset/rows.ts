import { RecurraError } from '@recurra/tensor';
import { type Rule, type Rules, rules } from '@recurra/tensor/extend';

/** Why a row cannot be used. */
export type BadRowReason = 'fieldCount' | 'encoding' | 'quotes' | 'length' | 'json' | 'missing' | 'type';

/** A row that cannot be used, and where it stands. */
export interface BadRow {
  readonly reason: BadRowReason;
  /** What was expected and received. */
  readonly message: string;
  /** Name of the file (or URL). */
  readonly file: string;
  /** Number of the line where it begins, from 1. */
  readonly line: number;
  /** How many lines it has: with stray quotes, all that are left out with it. */
  readonly lines: number;
  /** Its text, cut after 200 characters. */
  readonly text: string;
}

/** Characters of a bad row's text that are kept. */
export const SHOWN = 200;

/** A row of a file cannot be used: thrown with `onBadRow: 'error'`. */
export class BadRowError extends RecurraError {
  readonly row: BadRow;

  constructor(row: BadRow) {
    super(
      `${row.file}, line ${row.line}: ${row.message}: ${JSON.stringify(row.text)}. Repair the row, or read with onBadRow: 'skip' or 'collect'.`,
    );
    this.row = row;
  }
}

/** What is done with a row that cannot be used. */
export interface BadRowOptions {
  /**
   * 'error' (default) throws `BadRowError`; 'skip' leaves the row out and counts it in `report` (or, without one, says at the end how many
   * were left out, by `console.warn`); 'collect' also keeps it in `report.rows`.
   */
  readonly onBadRow?: 'error' | 'skip' | 'collect';
  /** Where bad rows are counted (and collected). Begins anew with each iteration. */
  readonly report?: RowReport;
}

/** Names of columns or fields. */
export const NAMES: Rule = {
  expected: 'a list of names',
  accepts: (v) => Array.isArray(v) && v.every((item) => typeof item === 'string'),
};

/** How many rows of an iteration were good and bad. */
export class RowReport {
  /** Rows that were given on. */
  good = 0;
  /** Rows that could not be used. */
  bad = 0;
  /** Those, by reason. */
  reasons: Partial<Record<BadRowReason, number>> = {};
  /** The bad rows, with `onBadRow: 'collect'`; else the first ten. */
  rows: BadRow[] = [];

  /** Forgets everything. */
  reset(): void {
    this.good = 0;
    this.bad = 0;
    this.reasons = {};
    this.rows = [];
  }
}

export const BAD_ROW_RULES: Rules<BadRowOptions> = {
  onBadRow: rules.oneOf('error', 'skip', 'collect'),
  report: rules.instanceOf(RowReport, 'a RowReport'),
};

/** Rows before the rest of them are only counted. */
const EXAMPLES = 10;

/** Handles the bad rows of one iteration over one file. */
export class BadRows {
  readonly report: RowReport;
  private readonly how: 'error' | 'skip' | 'collect';
  private readonly told: boolean;

  constructor(options: BadRowOptions) {
    this.how = options.onBadRow ?? 'error';
    this.report = options.report ?? new RowReport();
    this.told = options.report !== undefined;
    this.report.reset();
  }

  /** One row that cannot be used, of one line where `lines` is left out. Throws `BadRowError` with 'error'. */
  add(row: Omit<BadRow, 'lines'> & { readonly lines?: number }): void {
    const text = row.text.length > SHOWN ? `${row.text.slice(0, SHOWN)}...` : row.text;
    const short: BadRow = { lines: 1, ...row, text };
    if (this.how === 'error') throw new BadRowError(short);
    const { report } = this;
    report.bad++;
    report.reasons[row.reason] = (report.reasons[row.reason] ?? 0) + 1;
    if (this.how === 'collect' || report.rows.length < EXAMPLES) report.rows.push(short);
  }

  /** At the end: nothing is left out in silence. */
  finish(): void {
    const { report } = this;
    if (report.bad === 0 || this.told) return;
    const where = report.rows.slice(0, 3).map((r) => `line ${r.line} (${r.message})`);
    console.warn(
      `${report.rows[0]!.file}: left out ${report.bad} of ${report.good + report.bad} rows: ${where.join('; ')}${report.bad > 3 ? '; ...' : ''}`,
    );
  }
}
