export type { PaddingOptions } from './dataset/collate.js';
export { type CsvOptions, type CsvRow, csvDataset } from './dataset/csv.js';
export {
  type BucketOptions,
  Dataset,
  type DatasetBatchOptions,
  type DatasetIterator,
  type DatasetPosition,
  type GeneratorOptions,
  type ShuffleOptions,
} from './dataset/dataset.js';
export { type FolderOptions, type FolderText, folderDataset } from './dataset/folder.js';
export { type JsonlOptions, jsonlDataset } from './dataset/jsonl.js';
export { type TextLineOptions, textLineDataset } from './dataset/lines.js';
export { type ParquetOptions, parquetDataset } from './dataset/parquet.js';
export { type BadRow, BadRowError, type BadRowOptions, type BadRowReason, RowReport } from './dataset/rows.js';
export {
  type DataSource,
  ReadError,
  type ReadOptions,
  type ReadProgress,
  readBytes,
  readText,
} from './dataset/source.js';
export { type BatchOptions, type SplitOptions, trainTestSplit } from './dataset/split.js';
export * from './lookup/hashing.js';
export type { LookupMode, LookupOptions } from './lookup/index-lookup.js';
export * from './lookup/integer-lookup.js';
export * from './lookup/string-lookup.js';
export * from './numeric/category-encoding.js';
export * from './numeric/discretization.js';
export * from './numeric/labels.js';
export * from './numeric/normalization.js';
export * from './series/timeseries.js';
export * from './subword/byte-pair.js';
export * from './subword/huggingface.js';
export * from './text/hashing-trick.js';
export * from './text/pad-sequences.js';
export {
  type JiebaOptions,
  jiebaSegmenter,
  type SegmentMode,
  type SegmentOptions,
  segmentWords,
} from './text/segment.js';
export * from './text/skipgrams.js';
export * from './text/text-vectorization.js';
export * from './text/tokenizer.js';
export { FILTERS, type Splitter, textToWordSequence, type WordOptions } from './text/words.js';
