import { ValueError } from '@recurra/tensor';
import { Input } from '../index.js';

test.each<[string, unknown, string]>([
  [
    'a number as shape',
    { shape: 3 },
    'Input: expected shape to be a list of integers >= 0 (null where a size is open), received 3',
  ],
  ['a text as shape', { shape: '3' }, 'received "3"'],
  ['a number as batch shape', { batchShape: 3 }, 'received 3'],
  ['a shape without options', [3], 'Input: expected an object of options, as Input({ shape: [100] })'],
  ['a number without options', 3, 'received 3'],
])('%s is refused', (_, options, message) => {
  expect(() => Input(options as never)).toThrow(ValueError);
  expect(() => Input(options as never)).toThrow(message);
});
