import { camelCase } from '@recurra/tensor/extend';
import * as recurra from 'recurra';
import { type Area, RENAMED, WHY } from './why.js';

/** Keras' public names, as `keras/names.json` has them. */
export interface KerasNames {
  /** The version. */
  readonly keras: string;
  readonly names: Readonly<Record<string, readonly string[]>>;
}

/** A name of Keras: what it is called here, or why it is not here. */
export interface Coverage {
  readonly area: string;
  readonly name: string;
  readonly here: string | null;
  readonly why: readonly string[];
}

const exported = recurra as unknown as Readonly<Record<string, unknown>>;

/** The tables of things that have names and no classes here: what users write is the name, or a call of the table's function. */
const TABLES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  initializers: recurra.initializers as never,
  regularizers: recurra.regularizers as never,
  constraints: recurra.constraints as never,
  activations: recurra.activations as never,
};

/** `GlorotUniform` and `hard_silu` as tables here have them: `glorotUniform`, `hardSilu`. */
const tableName = (name: string): string => camelCase(name.charAt(0).toLowerCase() + name.slice(1));

/** What a name of Keras is called here; `null` where it is not. */
function ours(area: string, name: string): string | null {
  const own = RENAMED[area as Area]?.[name] ?? name;
  const table = TABLES[area];
  if (table) {
    const key = Object.keys(table).find((k) => k.toLowerCase() === tableName(own).toLowerCase());
    if (key !== undefined) return area === 'activations' ? `'${key}'` : `${area}.${key}`;
    const loose = tableName(own);
    return area === 'activations' && typeof exported[loose] === 'function' ? loose : null;
  }
  // Losses and metrics have names in common: then the metric's one says so.
  const candidates = area === 'metrics' ? [`${own}Metric`, own] : area === 'schedules' ? [own, tableName(own)] : [own];
  return candidates.find((candidate) => typeof exported[candidate] === 'function') ?? null;
}

/** Every name of Keras with what it is called here, by what `recurra` exports now, and what the table says of those that are not here. */
export function kerasCoverage({ names }: KerasNames): Coverage[] {
  return Object.entries(names).flatMap(([area, list]) =>
    list.map((name) => ({
      area,
      name,
      here: ours(area, name),
      why: WHY.filter(([of, pattern]) => of === area && pattern.test(name)).map(([, , why]) => why),
    })),
  );
}

const TITLES: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  models: ['Models', '模型'],
  layers: ['Layers', '层'],
  losses: ['Losses', '损失函数'],
  metrics: ['Metrics', '指标'],
  optimizers: ['Optimizers', '优化器'],
  schedules: ['Learning-rate schedules', '学习率计划'],
  callbacks: ['Callbacks', '回调'],
  initializers: ['Initializers', '初始化器'],
  regularizers: ['Regularizers', '正则化'],
  constraints: ['Constraints', '约束'],
  activations: ['Activations', '激活函数'],
};

/** The page of the documentation: a table an area. */
export function kerasPage(given: KerasNames, language: 'en' | 'zh' = 'en'): string {
  const all = kerasCoverage(given);
  const zh = language === 'zh';
  const counted = all.filter((c) => c.here !== null).length;
  const intro = zh
    ? `Keras ${given.keras} 的公开名称，以及它们在这里的名称，或不在这里的原因（英文）。由代码生成：${counted} / ${all.length}。`
    : `The public names of Keras ${given.keras}, with what they are called here, or why they are not here. Made from the code: ${counted} of ${all.length} are here. Strings that name things also accept Keras' snake_case.`;
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const sections = Object.keys(given.names).map((area) => {
    const rows = all.filter((c) => c.area === area);
    const head = zh ? '| Keras | 这里 | 原因 |' : '| Keras | here | why not |';
    const here = rows.filter((c) => c.here !== null).length;
    return [
      `## ${TITLES[area]?.[zh ? 1 : 0] ?? area} (${here} / ${rows.length})`,
      '',
      head,
      '| --- | --- | --- |',
      ...rows.map(
        (c) =>
          `| \`${c.name}\` | ${c.here === null ? '' : `\`${cell(c.here)}\``} | ${c.here === null ? cell(c.why.join(' ')) : ''} |`,
      ),
    ].join('\n');
  });
  return `# ${zh ? 'Keras 的名称' : 'Names of Keras'}\n\n${intro}\n\n${sections.join('\n\n')}\n`;
}
