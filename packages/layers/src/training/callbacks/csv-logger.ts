import { ValueError } from '@recurra/tensor';
import { checkRules, describeValue, type Rules, rules } from '@recurra/tensor/extend';
import { prefixed } from '../../metrics/naming.js';
import { Callback, type CallbackState, type EpochLogs } from '../callback.js';
import { expectPath, type Storage, storageFor } from '../storage.js';

/** Options of {@link CSVLogger}; names and defaults of Keras. */
export interface CSVLoggerOptions {
  /** Between the fields of a row; ','. */
  readonly separator?: string;
  /** Go on with a file that is there, under its header, rather than replace it; false. */
  readonly append?: boolean;
  /** Where the file is; files, in Node. */
  readonly storage?: Storage | null;
}

const RULES: Rules<CSVLoggerOptions> = {
  separator: rules.anything,
  append: rules.flag,
  storage: rules.anything,
};

/**
 * Writes the logs of each epoch as a row of a CSV file: `epoch`, and the metrics in the order of their names. Keras `CSVLogger`, whose format this is: where
 * the first epoch is not validated, the columns of validation are there all the same; a metric that an epoch has not is `NA`; rows end with CR LF; a field
 * with a separator, a quote or a line break is quoted (RFC 4180).
 *
 * A row goes to the file when its epoch ends. Throws `ValueError` for options that do not fit.
 */
export class CSVLogger extends Callback {
  private readonly path: string;
  private readonly separator: string;
  private readonly append: boolean;
  private readonly storage: Storage;
  private keys: readonly string[] | null = null;
  private header = true;

  constructor(filename: string, options: CSVLoggerOptions = {}) {
    super();
    const label = 'CSVLogger';
    checkRules(label, options, RULES);
    const { separator = ',', append = false, storage } = options;
    if (typeof separator !== 'string' || separator.length !== 1 || /["\r\n]/.test(separator))
      throw new ValueError(
        `${label}: expected separator to be one character other than a quote or a line break, received ${describeValue(separator)}`,
      );
    this.path = expectPath(label, 'filename', filename);
    this.separator = separator;
    this.append = append;
    this.storage = storageFor(label, storage);
  }

  override async onTrainBegin(): Promise<void> {
    this.keys = null;
    const before = this.append ? await this.storage.read(this.path) : null;
    this.header = before === null || before.length === 0;
    // Of an interrupted run, the last row may lack its end.
    if (before && before.length > 0 && before[before.length - 1] !== 10) await this.write('\r\n');
    if (!this.append) await this.storage.write(this.path, new Uint8Array());
  }

  override async onEpochEnd(epoch: number, logs: EpochLogs): Promise<void> {
    if (this.keys === null) {
      const keys = Object.keys(logs).sort();
      const validated = keys.some((key) => /^val[A-Z_]/.test(key));
      this.keys = validated ? keys : [...keys, ...keys.map((key) => prefixed('val', key))];
      if (this.header) await this.row(['epoch', ...this.keys]);
      this.header = false;
    }
    await this.row([String(epoch), ...this.keys.map((key) => (Object.hasOwn(logs, key) ? String(logs[key]) : 'NA'))]);
  }

  private row(fields: readonly string[]): Promise<void> {
    const quoted = fields.map((field) =>
      field.includes(this.separator) || /["\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field,
    );
    return this.write(`${quoted.join(this.separator)}\r\n`);
  }

  private write(text: string): Promise<void> {
    return this.storage.append(this.path, new TextEncoder().encode(text));
  }

  override captureState(): CallbackState {
    return { values: { keys: this.keys } };
  }

  override restoreState({ values }: CallbackState): void {
    // The columns of a file that goes on stay what they were.
    if (this.append) this.keys = values['keys'] as readonly string[] | null;
  }
}
