import { memoryStorage, type Storage } from '../storage.js';
import { CSVLogger, type CSVLoggerOptions } from './csv-logger.js';

const storage = memoryStorage();
const text = async (): Promise<string> => new TextDecoder().decode((await storage.read('log.csv'))!);

async function log(options: CSVLoggerOptions, rows: readonly Record<string, number>[], from = 0): Promise<string> {
  const logger = new CSVLogger('log.csv', { storage, ...options });
  await logger.onTrainBegin();
  for (const [i, row] of rows.entries()) await logger.onEpochEnd(from + i, row);
  return text();
}

const ROWS = [
  { loss: 0.5, accuracy: 1 },
  { loss: 0.25, accuracy: 0.75, valLoss: 1e-7 },
];
const ROW_TEXT = 'epoch;accuracy;loss;valAccuracy;valLoss\r\n0;1;0.5;NA;NA\r\n1;0.75;0.25;NA;1e-7\r\n';

test('rows as Keras writes them: sorted columns, those of validation in any case, NA, CR LF', async () => {
  expect(await log({ separator: ';' }, ROWS)).toBe(ROW_TEXT);
  // Replaced by the next run, or gone on with.
  expect(await log({}, [{ loss: Number.NaN, valLoss: 2 }])).toBe('epoch,loss,valLoss\r\n0,NaN,2\r\n');
  expect(await log({ append: true }, [{ loss: 1, valLoss: 3, other: 4 }], 1)).toBe(
    'epoch,loss,valLoss\r\n0,NaN,2\r\n1,1,NA,3\r\n'.replace('1,1,NA,3', '1,1,4,3'),
  );
});

test('fields with separators and quotes are quoted', async () => {
  expect(await log({}, [{ 'a,"b"': 1, valX: 2 }])).toBe('epoch,"a,""b""",valX\r\n0,1,2\r\n');
});

test('a torn last row is ended first', async () => {
  await storage.write('log.csv', new TextEncoder().encode('epoch,loss,valLoss\r\n0,0.'));
  expect(await log({ append: true }, [{ loss: 1, valLoss: 3 }])).toBe('epoch,loss,valLoss\r\n0,0.\r\n0,1,3\r\n');
});

test('wrong options are refused', () => {
  const make =
    (filename: unknown, options: object = {}) =>
    () =>
      new CSVLogger(filename as string, { storage: storage as Storage, ...options });
  expect(make('')).toThrow(/filename to be a path/);
  expect(make('a', { separator: '' })).toThrow(/separator to be one character/);
  expect(make('a', { separator: '"' })).toThrow(/separator to be one character/);
  expect(make('a', { append: 1 })).toThrow(/append to be true or false, received 1/);
  expect(make('a', { delimiter: ';' })).toThrow(/unknown option "delimiter"/);
});
