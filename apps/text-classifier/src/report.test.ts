import { confusionTable, dataSummary, predictionLines } from './report.js';
import { columnsOf } from './terminal.js';

const EVALUATION = {
  samples: 12,
  correct: 9,
  accuracy: 0.75,
  confusion: [
    [3, 1, 0],
    [0, 4, 0],
    [1, 1, 1234567],
  ],
};

test.each([
  [['food', 'sport', 'weather']],
  [['美食', '体育', '天气预报']],
  [['e\u0301te\u0301', 'ひらがな', 'a label that is longer than the place it is given']],
])('the columns of the confusion table stand below each other: %j', (labels) => {
  const lines = confusionTable(EVALUATION, labels).split('\n');
  expect(lines).toHaveLength(4);
  expect(new Set(lines.map(columnsOf)).size).toBe(1);
  // The end of each label of the head, in columns: there the numbers end, too.
  const [head, ...rows] = lines;
  let from = 'actual \\ predicted'.length;
  labels.forEach((label, j) => {
    const at = head!.indexOf(label, from);
    from = at + label.length;
    const end = columnsOf(head!.slice(0, from));
    rows.forEach((row, i) => {
      let cut = row.length;
      while (columnsOf(row.slice(0, cut)) > end) cut--;
      expect(row.slice(0, cut)).toMatch(new RegExp(` ${EVALUATION.confusion[i]![j]}$`));
    });
  });
});

test('predictions stand below each other, each on one line', () => {
  const lines = predictionLines([
    { label: '天气', probability: 0.5, text: 'rain\nand\u009b2J wind' },
    { label: 'weather', probability: 1, text: '下雨' },
  ]).split('\n');
  expect(lines).toHaveLength(2);
  const [a, b] = [lines[0]!.indexOf('50.0 %'), lines[1]!.indexOf('100.0 %')];
  expect(columnsOf(lines[0]!.slice(0, a))).toBe(columnsOf(lines[1]!.slice(0, b)) + 1);
  expect(lines[0]).toMatch(/ rain and\\u009b2J wind$/);
});

test('labels are shown on one line, whatever they hold', () => {
  const samples = ['a\nb', 'c\u001b[2J'].map((label, line) => ({ text: 'x', label, line }));
  expect(dataSummary('train', samples)).toBe('train: 2 texts (a b 1, c\\u001b[2J 1)');
});
