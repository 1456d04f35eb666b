import type { Tensor } from '@recurra/tensor';
import { Counting, type ThresholdOptions } from './counting.js';

const DEFAULTS = { thresholds: null, topK: null, classId: null } as const;

/** Share of the positive decisions that are right: TP / (TP + FP), 0 where there are none. */
export class Precision extends Counting {
  override readonly direction = 'up';

  constructor(options: ThresholdOptions = {}) {
    super('precision', 'Precision', options, ['truePositives', 'falsePositives'], DEFAULTS);
  }

  result(): Tensor {
    const right = this.value('truePositives');
    return this.finish(right.divideNoNan(right.add(this.value('falsePositives'))));
  }
}

/** Share of the positives that are found: TP / (TP + FN), 0 where there are none. */
export class Recall extends Counting {
  override readonly direction = 'up';

  constructor(options: ThresholdOptions = {}) {
    super('recall', 'Recall', options, ['truePositives', 'falseNegatives'], DEFAULTS);
  }

  result(): Tensor {
    const right = this.value('truePositives');
    return this.finish(right.divideNoNan(right.add(this.value('falseNegatives'))));
  }
}
