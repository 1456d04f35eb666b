/** For those who write codecs: what files of all formats share, beside what users call (`@recurra/formats`). */
export { formatOfName, formatOfPath } from './formats.js';
export { type ReadJsonOptions, readJson } from './json.js';
export { parseJson, parseJsonObject, stringifyJson } from './keras/json.js';
export { Budget } from './limits.js';
export { emptyGroup, tensorsOf } from './model-file.js';
export { widenBfloat16, widenFloat16 } from './narrow-floats.js';
export { weightNames } from './safetensors-weights.js';
