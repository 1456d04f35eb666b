import { jsonlDataset } from './jsonl.js';

const source = (text: string): Blob => new Blob([text]);

test('lineColumn adds the number of the line, and never replaces a field of the data', async () => {
  const rows = await jsonlDataset(source('{"a": 1}\n\n{"a": 2}\n'), { lineColumn: 'line' }).toArray();
  expect(rows).toEqual([
    { a: 1, line: 1 },
    { a: 2, line: 3 },
  ]);
  const own = jsonlDataset(source('{"a": 1}\n{"a": 2, "line": "mine"}\n'), { lineColumn: 'line', name: 'f.jsonl' });
  await expect(own.toArray()).rejects.toThrow(
    'jsonlDataset: f.jsonl, line 2: expected lineColumn to be no field of the data, received "line"',
  );
  // No policy for bad rows makes it one: the option is wrong, not the row.
  const collected = jsonlDataset(source('{"line": 1}\n'), { lineColumn: 'line', onBadRow: 'skip' });
  await expect(collected.toArray()).rejects.toThrow(/no field of the data/);
  expect(await jsonlDataset(source('{"a": 1}\n'), { lineColumn: 'toString' }).toArray()).toHaveLength(1);
});
