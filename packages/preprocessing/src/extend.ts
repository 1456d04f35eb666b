/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/preprocessing`). */
export { type Batched, collate, collatePadded, type Leaf, type Unbatched } from './dataset/collate.js';
export { batchIndices, shuffledIndices } from './dataset/split.js';
export type { Nested, Numbers } from './internal/nested.js';
export { type EncodeMode, encodedShape } from './lookup/encode.js';
export { foldWidth, segmenter } from './text/segment.js';
export { wordSplitter } from './text/words.js';
