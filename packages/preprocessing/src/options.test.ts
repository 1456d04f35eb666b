/** Options that there are not are refused where people who write JavaScript meet them. */
import {
  csvDataset,
  folderDataset,
  jsonlDataset,
  padSequences,
  parquetDataset,
  TextVectorization,
  Tokenizer,
  textLineDataset,
  trainTestSplit,
} from './index.js';

test.each<[string, () => unknown, string]>([
  ['csvDataset', () => csvDataset('x.csv', { on_bad_row: 'skip' } as never), 'onBadRow'],
  ['jsonlDataset', () => jsonlDataset('x.jsonl', { line_column: 'n' } as never), 'lineColumn'],
  ['textLineDataset', () => textLineDataset('x.txt', { skip_empty: true } as never), 'skipEmpty'],
  ['parquetDataset', () => parquetDataset('x.parquet', { sha_256: 'a' } as never), 'sha256'],
  ['folderDataset', () => folderDataset('x', { class_names: ['a'] } as never), 'classNames'],
  ['trainTestSplit', () => trainTestSplit(4, { test_size: 0.5 } as never), 'testSize'],
  ['padSequences', () => padSequences([[1]], { maxlen: 3 } as never), 'maxLength'],
  ['Tokenizer', () => new Tokenizer({ num_words: 3 } as never), 'numWords'],
  ['TextVectorization', () => new TextVectorization({ max_tokens: 3 } as never), 'maxTokens'],
])('%s', (name, f, meant) => {
  expect(f).toThrow(new RegExp(`^${name}: unknown option .* Did you mean "${meant}"\\?`));
});
