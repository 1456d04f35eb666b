import { type ReadJsonOptions, readJsonObject, writeJson } from '../json.js';
import type { Json, JsonObject } from '../model-file.js';

/** Options of which Keras asks whether they are floating: Python tells 0 from 0.0. */
const FLOATING =
  /^(momentum|learning_rate|initial_learning_rate|rho|.*beta_[12]|epsilon|ema_momentum|weight_decay|clipnorm|clipvalue|global_clipnorm|loss_scale_factor)$/;

/** An object of JSON that Keras wrote: NaN and infinities stand there as Python has them. Throws `FormatError` as `readJson` does. */
export const readKerasJson = (source: Uint8Array | string, options: ReadJsonOptions): JsonObject =>
  readJsonObject(source, { ...options, python: true });

/** A value as JSON that Keras reads. */
export const writeKerasJson = (value: Json): string => writeJson(value, (key) => FLOATING.test(key));
