/** A page of the docs of the round-trip matrix: figures that `pnpm formats:matrix` measured. */

/** How far apart predictions were, or why there is no figure. */
export interface MatrixCell {
  readonly apart?: number;
  readonly why?: string;
}

/** What `pnpm formats:matrix` writes. */
export interface FormatsMatrix {
  /** Of those who read our files. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly {
    readonly model: string;
    /** Written and read here, by formats. */
    readonly here: Readonly<Record<string, MatrixCell>>;
    /** Read by others. */
    readonly elsewhere: Readonly<Record<string, MatrixCell>>;
  }[];
  /** State dicts that PyTorch saved, computed here. */
  readonly pytorch: readonly { readonly module: string; readonly apart: number }[];
}

const TEXTS = {
  en: {
    title: 'Formats: there and back',
    intro:
      'Models of many kinds, trained for an epoch and written in each format: how far predictions are from those of the model that was written, at most (relative above 1). 0 is bit for bit. Made by `pnpm formats:matrix`.',
    here: 'Written and read here',
    elsewhere: 'Read by others',
    pytorch: "PyTorch's state dicts, computed here",
    model: 'model',
    module: 'module',
    apart: 'apart',
    notes: 'What is not expressed',
    versions: 'Versions',
  },
  zh: {
    title: '格式：往返对照',
    intro:
      '各类模型训练一轮后写成每种格式：读回后的预测与原模型预测的最大差（大于 1 时取相对差）。0 表示逐位相同。由 `pnpm formats:matrix` 生成。',
    here: '在此写、在此读',
    elsewhere: '由其他框架读',
    pytorch: '在此计算 PyTorch 的 state dict',
    model: '模型',
    module: '模块',
    apart: '最大差',
    notes: '无法表达之处（英文）',
    versions: '版本',
  },
} as const;

const figure = (apart: number): string => (apart === 0 ? '0' : apart.toExponential(1));
const cellText = (text: string): string =>
  text.replaceAll('|', '\\|').replace(/[<>{}]/g, (c) => `&#${c.charCodeAt(0)};`);

const columnsOf = (rows: FormatsMatrix['rows'], part: 'here' | 'elsewhere'): string[] => [
  ...new Set(rows.flatMap((row) => Object.keys(row[part]))),
];

/** The page in a language. */
export function formatsPage({ versions, rows, pytorch }: FormatsMatrix, language: 'en' | 'zh' = 'en'): string {
  const t = TEXTS[language];
  const whys: string[] = [];
  const shown = (model: string, column: string, cell: MatrixCell | undefined): string => {
    if (!cell) return '';
    if (cell.apart !== undefined) return figure(cell.apart);
    whys.push(`- ${model}, ${column}: ${cellText(cell.why ?? '')}`);
    return `–`;
  };
  const table = (columns: readonly string[], part: 'here' | 'elsewhere'): string[] => [
    `| ${[t.model, ...columns].join(' | ')} |`,
    `| --- |${' ---: |'.repeat(columns.length)}`,
    ...rows.map(
      (row) =>
        `| ${[row.model, ...columns.map((column) => shown(row.model, column, row[part][column]))].join(' | ')} |`,
    ),
  ];
  const parts = [
    `# ${t.title}`,
    t.intro,
    `## ${t.here}`,
    table(columnsOf(rows, 'here'), 'here').join('\n'),
    `## ${t.elsewhere}`,
    table(columnsOf(rows, 'elsewhere'), 'elsewhere').join('\n'),
    `## ${t.pytorch}`,
    [
      `| ${t.module} | ${t.apart} |`,
      '| --- | ---: |',
      ...pytorch.map(({ module, apart }) => `| \`${module}\` | ${figure(apart)} |`),
    ].join('\n'),
  ];
  if (whys.length > 0) parts.push(`## ${t.notes}`, whys.join('\n'));
  parts.push(
    `## ${t.versions}`,
    Object.entries(versions)
      .map(([name, version]) => `- ${name}: ${version}`)
      .join('\n'),
  );
  return `${parts.join('\n\n')}\n`;
}
