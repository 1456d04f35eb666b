/** For those who write codecs: what files of all formats share, beside what users call (`@recurra/formats`). */
export { endingsOf, formatOfName, formatOfPath, promisedFormat } from './formats.js';
export { type ReadJsonOptions, readJson, readJsonObject, writeJson } from './json.js';
export { Budget } from './limits.js';
export { emptyGroup, tensorsOf } from './model-file.js';
export { widenBfloat16, widenFloat16 } from './narrow-floats.js';
export { expectPlainName } from './plain-name.js';
export { formatOfBytes, readModelBytes } from './read-model-file.js';
export { weightNames, withNamedWeights } from './safetensors-weights.js';
