import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BadRow, BadRowError, RowReport } from '@recurra/preprocessing';
import { RecurraError } from '@recurra/tensor';
import fc from 'fast-check';
import { DATA_FORMATS, type DataFormat, FILE, type OnBadRow, type Outcome } from './data-formats.js';
import { type FuzzTarget, propertyTarget } from './target.js';
import { limited } from './watchdog.js';

/** Longest file that damage may blow up to: work that grows with the square shows by then. */
const LONGEST = 1 << 17;
/** Seconds that a case may take: some thousand times what it needs. */
const LIMIT = 30;

/** How a file is damaged: at a place, with a token of its format or a byte, so often. */
interface Damage {
  readonly how: 'insert' | 'remove' | 'byte' | 'double' | 'cut' | 'blow up';
  readonly at: number;
  readonly token: number;
  readonly size: number;
}

interface Case {
  readonly format: DataFormat;
  readonly bytes: Uint8Array;
  readonly options: unknown;
  readonly sizes: readonly number[];
  readonly gzip: boolean;
  readonly zipDamage: readonly Damage[];
}

const damage = fc.record<Damage>({
  how: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom<Damage['how']>('insert', 'insert', 'remove', 'byte', 'double') },
    { weight: 2, arbitrary: fc.constant<Damage['how']>('cut') },
    { weight: 1, arbitrary: fc.constant<Damage['how']>('blow up') },
  ),
  at: fc.nat(),
  token: fc.nat(255),
  size: fc.integer({ min: 1, max: 40 }),
});

/** The same, but that nothing is repeated to the longest length: zipped, that would unpack to a hundred times as much. */
const zipDamage = damage.map((one): Damage => (one.how === 'blow up' ? { ...one, how: 'double' } : one));

/** The bytes with one damage more. */
function damaged(bytes: Uint8Array, { how, at, token, size }: Damage, tokens: readonly Uint8Array[]): Uint8Array {
  const place = at % (bytes.length + 1);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
  const part = tokens[token % tokens.length]!;
  if (how === 'insert') return join(before, part, after);
  if (how === 'remove') return join(before, after.subarray(size));
  if (how === 'byte') return join(before, Uint8Array.of(token), after.subarray(1));
  if (how === 'double') return join(before, after.subarray(0, size), after);
  if (how === 'cut') return before;
  const unit = token < 128 ? part : after.subarray(0, size);
  const room = LONGEST - bytes.length;
  return unit.length === 0 || room <= 0
    ? bytes
    : join(
        before,
        new Uint8Array(Math.floor(room / unit.length) * unit.length).map((_, i) => unit[i % unit.length]!),
        after,
      );
}

const cases: fc.Arbitrary<Case> = fc.oneof(
  ...DATA_FORMATS.map((format) => {
    const tokens = format.tokens.map((token) => new TextEncoder().encode(token));
    return fc
      .record({
        file: format.files,
        damages: fc.array(damage, { maxLength: 8 }),
        options: format.options,
        sizes: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
        gzip: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        zipDamage: fc.array(zipDamage, { maxLength: 2 }),
      })
      .map(({ file, damages, ...rest }) => ({
        ...rest,
        format,
        bytes: damages.reduce<Uint8Array>((bytes, one) => damaged(bytes, one, tokens), file),
        [fc.toStringMethod]: () =>
          `${format.name} ${fc.stringify(rest)}\n${JSON.stringify(Buffer.from(file).toString().slice(0, 2000))}\ndamaged by ${fc.stringify(damages)}`,
      }));
  }),
);

/** Bytes in pieces of these sizes, again and again. */
async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, k = 0; at < bytes.length; k++) {
    const n = sizes[k % sizes.length]!;
    yield bytes.subarray(at, at + n);
    at += n;
  }
}

const shown = (value: unknown): string => {
  const text = fc.stringify(value);
  return text.length > 1500 ? `${text.slice(0, 1500)}...` : text;
};

/** An outcome in what must be equal; errors by what they say. */
const comparable = ({ rows, report, error }: Outcome): unknown => ({
  rows,
  report,
  error: error instanceof Error ? `${error.name}: ${error.message}` : error,
});

function expectEqual(received: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(received, expected))
    throw new Error(`${what}:\nreceived ${shown(received)}\nexpected ${shown(expected)}`);
}

/** What is thrown is ours, and says of which file it speaks. */
function expectTyped({ error, report }: Outcome, what: string): void {
  if (error === null) return;
  if (!(error instanceof RecurraError))
    throw new Error(
      `${what}: expected an error of our own, received ${error instanceof Error ? error.stack : shown(error)}`,
    );
  if (report !== null && !error.message.includes(FILE))
    throw new Error(`${what}: expected an error that names the file, received ${error.message}`);
}

/** Every row is good or bad, and every bad one is told once. */
function expectCounts({ rows, report }: Outcome, onBadRow: OnBadRow, what: string): void {
  if (report === null) return;
  const { good, bad, reasons } = report;
  const sum = Object.values(reasons).reduce((a, b) => a + b, 0);
  const told = onBadRow === 'collect' ? bad : onBadRow === 'skip' ? Math.min(bad, 10) : 0;
  expectEqual({ good, sum, told: report.rows.length }, { good: rows.length, sum: bad, told }, `${what}, counts`);
  for (const { text, file } of report.rows)
    if (text.length > 210 || file !== FILE) throw new Error(`${what}: expected a short text, received ${shown(text)}`);
}

async function holds({ format, bytes, options, sizes, gzip, zipDamage }: Case): Promise<void> {
  const whole = await format.read(bytes, options, 'collect');
  expectTyped(whole, 'read whole');
  expectCounts(whole, 'collect', 'read whole');
  // However the bytes come. Long files in pieces that are longer in step: the number of pieces is the same.
  const scale = Math.max(1, Math.floor(bytes.length / 2000));
  for (const pieces of [sizes.map((n) => n * scale), [scale]])
    expectEqual(
      comparable(await format.read(cut(bytes, pieces), options, 'collect')),
      comparable(whole),
      `read in pieces of ${pieces.join(', ')}`,
    );
  if (whole.report !== null) {
    const skipped = await format.read(bytes, options, 'skip');
    expectCounts(skipped, 'skip', 'bad rows left out');
    expectEqual(
      comparable({ ...skipped, report: countsOf(skipped.report!, skipped.report!.rows) }),
      comparable({ ...whole, report: countsOf(whole.report, whole.report.rows.slice(0, 10)) }),
      'bad rows left out',
    );
    await holdsFirst(await format.read(bytes, options, 'error'), whole);
  }
  if (gzip) {
    const zipped = Uint8Array.from(gzipSync(bytes));
    expectEqual(comparable(await format.read(cut(zipped, [97]), options, 'collect')), comparable(whole), 'zipped');
    const broken = zipDamage.reduce<Uint8Array>((all, one) => damaged(all, one, [Uint8Array.of(0), zipped]), zipped);
    const outcome = await format.read(broken, options, 'collect');
    expectTyped(outcome, 'a damaged gzip file');
    expectCounts(outcome, 'collect', 'a damaged gzip file');
  }
  await format.holds?.(bytes, options, whole);
}

/** Counts, and these rows. */
function countsOf({ good, bad, reasons }: RowReport, rows: readonly BadRow[]): RowReport {
  return Object.assign(new RowReport(), { good, bad, reasons, rows });
}

/** With `onBadRow: 'error'` the first bad row ends the iteration, behind the rows before it. */
async function holdsFirst(first: Outcome, whole: Outcome): Promise<void> {
  expectTyped(first, 'the first bad row as an error');
  const [bad] = whole.report!.rows;
  if (bad === undefined) {
    expectEqual(comparable(first), comparable(whole), "read with onBadRow: 'error'");
    return;
  }
  expectEqual(first.error instanceof BadRowError ? first.error.row : first.error, bad, 'the first bad row as an error');
  expectEqual(first.rows, whole.rows.slice(0, first.rows.length), 'the rows before the first bad row');
  expectEqual(first.report!.good, first.rows.length, 'the count of rows before the first bad row');
}

/** Damaged files of data: typed errors, counts that add up, the same however the bytes come, work without surprises. */
export const data: FuzzTarget = limited(
  LIMIT,
  propertyTarget(
    `damaged files (${DATA_FORMATS.map(({ name }) => name).join(', ')}): typed errors, counts that add up, the same however the bytes come`,
    cases,
    holds,
  ),
);
