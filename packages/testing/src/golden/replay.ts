import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Comparison, compiled, eagerly } from './compare.js';
import { replayFile } from './files.js';
import { type GoldenCase, readArea } from './format.js';
import { replayInitializer } from './initializers.js';
import { replayLayer } from './layers.js';
import { replayLoss } from './losses.js';
import { replayMetric } from './metrics.js';
import { replayActivation, replayOp } from './ops.js';
import { replayOptimizer } from './optimizers.js';
import { replayPreprocessing } from './preprocessing.js';
import { replayTraining } from './training.js';

/** Replays one case; false (or a promise of it) where there is no implementation yet. */
export type Replayer = (
  c: GoldenCase,
  comparison: Comparison,
  file: string,
  folder: string,
) => boolean | Promise<boolean>;

/** The areas, and who replays them. */
const AREAS: Record<string, Replayer> = {
  ops: replayOp,
  activations: replayActivation,
  initializers: replayInitializer,
  optimizers: replayOptimizer,
  losses: replayLoss,
  metrics: replayMetric,
  layers: replayLayer,
  training: replayTraining,
  preprocessing: replayPreprocessing,
  files: replayFile,
};

/** What became of an area. */
export interface AreaReport {
  readonly area: string;
  readonly passed: string[];
  readonly failed: { name: string; messages: string[] }[];
  readonly skipped: string[];
  /** Elements where the float32 reference is beyond the tolerance from the float64 result, and ours is within. */
  readonly inexact: string[];
  /** Largest error as a share of the tolerance, and the case that has it. */
  readonly worst: { error: number; name: string };
}

/** Replays a whole area of a golden folder through the public API, eagerly or (where it computes with tensors) compiled. */
export async function replayArea(
  dir: string,
  area: string,
  options: { readonly compiled?: boolean } = {},
): Promise<AreaReport> {
  const report: AreaReport = { area, passed: [], failed: [], skipped: [], inexact: [], worst: { error: 0, name: '' } };
  const replayer = AREAS[area];
  for (const { file, cases } of readArea(dir, area))
    for (const c of cases) {
      const name = `${file.replace(/\.json$/, '')}/${c.name}`;
      const comparison = new Comparison(options.compiled ? compiled : eagerly);
      try {
        if (!replayer || !(await replayer(c, comparison, file, join(dir, area)))) {
          report.skipped.push(name);
          continue;
        }
        if (comparison.checks === 0) comparison.failures.push('nothing was compared');
      } catch (error) {
        comparison.failures.push(
          `threw ${error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ') : String(error)}`,
        );
      }
      for (const message of comparison.inexact) report.inexact.push(`${name}: ${message}`);
      if (comparison.failures.length > 0) report.failed.push({ name, messages: comparison.failures });
      else report.passed.push(name);
      if (comparison.worst > report.worst.error) Object.assign(report.worst, { error: comparison.worst, name });
    }
  return report;
}

/** The areas that a golden folder has. */
export function areasIn(dir: string): string[] {
  return [
    'ops',
    'activations',
    'initializers',
    'optimizers',
    'losses',
    'metrics',
    'layers',
    'training',
    'preprocessing',
    'files',
  ].filter((a) => existsSync(join(dir, a)));
}
