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

/** What became of one case. */
export interface CaseReport {
  /** File and case. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed. */
  readonly messages: readonly string[];
  readonly inexact: readonly string[];
  /** Largest error as a share of the tolerance. */
  readonly worst: number;
}

interface ReplayOptions {
  readonly compiled?: boolean;
}

/** Replays one case of a file of an area through the public API, eagerly or (where it computes with tensors) compiled. */
export async function replayCase(
  dir: string,
  area: string,
  file: string,
  c: GoldenCase,
  options: ReplayOptions = {},
): Promise<CaseReport> {
  const name = `${file.replace(/\.json$/, '')}/${c.name}`;
  const comparison = new Comparison(options.compiled ? compiled : eagerly);
  const replayer = AREAS[area];
  try {
    if (!replayer || !(await replayer(c, comparison, file, join(dir, area))))
      return { name, outcome: 'skipped', messages: [], inexact: [], worst: 0 };
    if (comparison.checks === 0) comparison.failures.push('nothing was compared');
  } catch (error) {
    comparison.failures.push(
      `threw ${error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ') : String(error)}`,
    );
  }
  const { failures, inexact, worst } = comparison;
  return { name, outcome: failures.length > 0 ? 'failed' : 'passed', messages: failures, inexact, worst };
}

/** Replays a whole area of a golden folder. */
export async function replayArea(dir: string, area: string, options: ReplayOptions = {}): Promise<AreaReport> {
  const report: AreaReport = { area, passed: [], failed: [], skipped: [], inexact: [], worst: { error: 0, name: '' } };
  for (const { file, cases } of readArea(dir, area))
    for (const c of cases) {
      const { name, outcome, messages, inexact, worst } = await replayCase(dir, area, file, c, options);
      for (const message of inexact) report.inexact.push(`${name}: ${message}`);
      if (outcome === 'failed') report.failed.push({ name, messages: [...messages] });
      else report[outcome].push(name);
      if (worst > report.worst.error) Object.assign(report.worst, { error: worst, name });
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
