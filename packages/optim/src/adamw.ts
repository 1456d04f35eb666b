import { withDefaults } from '@recurra/tensor/extend';
import { Adam, AMSGRAD_RULES, type AmsgradOptions } from './adam.js';

/** {@link Adam} with decoupled weight decay, 0.004 by default (Loshchilov & Hutter 2019). */
export class AdamW extends Adam {
  override readonly name = 'AdamW';

  constructor(options: AmsgradOptions = {}) {
    super(withDefaults<AmsgradOptions>('AdamW', options, { weightDecay: 0.004 }, AMSGRAD_RULES));
  }
}
