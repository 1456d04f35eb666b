import { isRecord } from './names.js';

/** A function as Keras writes it down in configurations: by its name, or the one that it was registered by (`package>name`). */
export interface SerializedFunction {
  readonly module?: string | null;
  readonly className: 'function';
  readonly config: string;
  readonly registeredName?: string | null;
}

/** A function as Keras writes it down. */
export const isSerializedFunction = (value: unknown): value is SerializedFunction =>
  isRecord(value) && value['className'] === 'function' && typeof value['config'] === 'string';
