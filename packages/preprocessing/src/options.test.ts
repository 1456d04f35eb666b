/** Options that there are not are refused where people who write JavaScript meet them. */
import {
  csvDataset,
  folderDataset,
  jsonlDataset,
  padSequences,
  parquetDataset,
  readBytes,
  readText,
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

test.each<[string, (...args: never[]) => unknown]>([
  ['csvDataset', csvDataset],
  ['jsonlDataset', jsonlDataset],
  ['textLineDataset', textLineDataset],
  ['parquetDataset', parquetDataset],
])('%s tells at the call what it cannot follow', (name, open) => {
  const given = (options: object) => () => open(...([new Blob(['a']), options] as never[]));
  expect(given({ retries: Number.NaN })).toThrow(`${name}: expected retries to be an integer >= 0, received NaN`);
  expect(given({ signal: null })).toThrow(/signal to be an AbortSignal .* received null/);
  expect(given({ headers: new Headers({ accept: 'text/csv' }) })).toThrow(
    /headers to be an object of texts.* received an instance of Headers/,
  );
  expect(given({ headers: { 'x-count': 1 } })).toThrow(/headers to be an object of texts/);
  if (name !== 'parquetDataset') expect(given({ onBadRow: 'zzz' })).toThrow(/onBadRow to be one of 'error', 'skip'/);
});

test('readBytes and readText know their options', async () => {
  await expect(readText(new Blob(['a']), { retires: 1 } as never)).rejects.toThrow(/readText: .* mean "retries"/);
  await expect(readBytes(new Blob(['a']), { retires: 1 } as never).next()).rejects.toThrow(
    /readBytes: .* mean "retries"/,
  );
});
