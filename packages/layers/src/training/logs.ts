import { camelCase } from '@recurra/tensor/extend';

/** Values of metrics by name: `loss`, `accuracy`, `valLoss`, ... */
export type Logs = Readonly<Record<string, number>>;

/** The name that something has in the logs: Keras' (`val_loss`, `title_accuracy`), in camelCase. */
export function logName(name: string): string {
  return camelCase(name);
}
