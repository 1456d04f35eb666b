import { FormatError, type Tensor } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { isRecord } from '../../base/tree.js';
import { Callback, type CallbackState, type TrainInfo } from '../callback.js';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type NamedTensor,
} from '../checkpoint/checkpoint-file.js';
import type { Snapshot, TrainState } from '../state.js';
import { expectPath, joined, type Storage, storageFor } from '../storage.js';
import { BatchCounter } from './batch-counter.js';
import { SAVE_FREQUENCY } from './rules.js';

/** Options of {@link BackupAndRestore}; names and defaults of Keras. */
export interface BackupAndRestoreOptions {
  /** After each epoch, or after so many batches; 'epoch'. */
  readonly saveFreq?: 'epoch' | number;
  /** Keep the backup before the last one, too, and go on from it where the last one is damaged; false. */
  readonly doubleCheckpoint?: boolean;
  /** Remove the backups when training is over; true. */
  readonly deleteCheckpoint?: boolean;
  /** Where the backups are; files, in Node. */
  readonly storage?: Storage | null;
}

const RULES: Rules<BackupAndRestoreOptions> = {
  saveFreq: SAVE_FREQUENCY,
  doubleCheckpoint: rules.flag,
  deleteCheckpoint: rules.flag,
  storage: rules.anything,
};

/**
 * Keeps a backup of the run, from which the next `fit` goes on that has this callback with the same folder: a run that is killed at any moment and begun again
 * ends with the weights, bit for bit, of one that was not. The backup holds weights and states of the model, the optimizer's state, metrics, random keys, the
 * place in the data, and what the other callbacks keep (the wait of `EarlyStopping`, the best value of `ModelCheckpoint`). Keras `BackupAndRestore`.
 *
 * The folder holds nothing else. Put this callback last: what others do at the end of an epoch is then in the backup. Data and the arguments of `fit` have to be
 * the same. Throws `FormatError` where the backup is damaged, `ValueError` where it is of another model.
 */
export class BackupAndRestore extends Callback {
  private readonly latest: string;
  private readonly previous: string;
  private readonly storage: Storage;
  private readonly counter: BatchCounter | null;
  private readonly doubleCheckpoint: boolean;
  private readonly deleteCheckpoint: boolean;
  private state!: TrainState;
  /** The bytes of the last backup, where two are kept. */
  private last: Uint8Array | null = null;

  constructor(backupDir: string, options: BackupAndRestoreOptions = {}) {
    super();
    const label = 'BackupAndRestore';
    checkRules(label, options, RULES);
    const { saveFreq = 'epoch', doubleCheckpoint = false, deleteCheckpoint = true, storage } = options;
    const folder = expectPath(label, 'backupDir', backupDir);
    this.latest = joined(folder, 'latest.ckpt');
    this.previous = joined(folder, 'previous.ckpt');
    this.counter = saveFreq === 'epoch' ? null : new BatchCounter(saveFreq);
    this.doubleCheckpoint = doubleCheckpoint;
    this.deleteCheckpoint = deleteCheckpoint;
    this.storage = storageFor(label, storage);
  }

  override async onTrainBegin({ state }: TrainInfo): Promise<void> {
    this.state = state;
    this.last = null;
    if (this.counter) this.counter.since = 0;
    const snapshot = await this.read();
    if (snapshot) state.restore(snapshot);
  }

  private async read(): Promise<Snapshot | null> {
    const file = await this.storage.read(this.latest);
    // Between the two writes there may be the one before alone.
    if (file === null && !this.doubleCheckpoint) return null;
    try {
      if (file !== null) {
        const snapshot = snapshotOf(file, this.latest);
        if (this.doubleCheckpoint) this.last = file;
        return snapshot;
      }
    } catch (error) {
      const before = this.doubleCheckpoint ? await this.storage.read(this.previous) : null;
      if (!(error instanceof FormatError) || before === null) throw error;
      console.warn(`${error.message} Going on from the one before it.`);
      return snapshotOf(before, this.previous);
    }
    const before = await this.storage.read(this.previous);
    return before && snapshotOf(before, this.previous);
  }

  override onTrainBatchEnd(): void | Promise<void> {
    if (this.counter?.due()) return this.save();
  }

  override onEpochEnd(): void | Promise<void> {
    if (!this.counter) return this.save();
  }

  private async save(): Promise<void> {
    const file = fileOf(this.state.capture());
    if (this.last) await this.storage.write(this.previous, this.last);
    await this.storage.write(this.latest, file);
    if (this.doubleCheckpoint) this.last = file;
  }

  override async onTrainEnd(): Promise<void> {
    this.last = null;
    if (!this.deleteCheckpoint) return;
    await this.storage.remove(this.previous);
    await this.storage.remove(this.latest);
  }

  override captureState(): CallbackState {
    return { values: { since: this.counter?.since ?? 0 } };
  }

  override restoreState({ values }: CallbackState): void {
    if (this.counter) this.counter.since = values['since'] as number;
  }
}

/** A snapshot as a file. */
function fileOf({ groups, paths, callbacks, ...place }: Snapshot): Uint8Array {
  const own = (name: string, tensors: readonly Tensor[]): NamedTensor[] =>
    tensors.map((value, i) => ({ path: paths[name]?.[i] ?? '', value }));
  return encodeCheckpoint({
    meta: {
      kind: 'run',
      ...place,
      callbacks: callbacks.map(({ name, state }) => ({ name, values: state.values })),
    },
    groups: {
      ...Object.fromEntries(Object.entries(groups).map(([name, tensors]) => [`run/${name}`, own(name, tensors)])),
      ...Object.fromEntries(
        callbacks.map(({ state }, i) => [
          `callback/${i}`,
          (state.tensors ?? []).map((value, k): NamedTensor => ({ path: String(k), value })),
        ]),
      ),
    },
  });
}

/** What {@link fileOf} wrote. Throws `FormatError`. */
function snapshotOf(file: Uint8Array, path: string): Snapshot {
  const { meta, groups }: Checkpoint = decodeCheckpoint(file, `BackupAndRestore: ${path}`);
  const { kind, epoch, step, logs, callbacks, stopped } = meta;
  if (
    kind !== 'run' ||
    !Number.isInteger(epoch) ||
    !Number.isInteger(step) ||
    !isRecord(logs) ||
    !Array.isArray(callbacks)
  )
    throw new FormatError(
      `BackupAndRestore: ${path}: expected the backup of a run, received a checkpoint of another kind. Use a folder that holds nothing else.`,
    );
  const run = Object.entries(groups).flatMap(([name, tensors]) =>
    name.startsWith('run/') ? [[name.slice('run/'.length), tensors] as const] : [],
  );
  return {
    epoch: epoch as number,
    step: step as number,
    logs: logs as Snapshot['logs'],
    stopped: stopped === true,
    groups: Object.fromEntries(run.map(([name, tensors]) => [name, tensors.map(({ value }) => value)])),
    paths: Object.fromEntries(run.map(([name, tensors]) => [name, tensors.map((t) => t.path)])),
    callbacks: callbacks.map(({ name, values }, i) => ({
      name: name as string,
      state: { values, tensors: (groups[`callback/${i}`] ?? []).map(({ value }) => value) },
    })),
  };
}
