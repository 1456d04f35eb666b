/**
 * The metrics that no name stands for: they need options, or something else than targets and predictions, or (`Accuracy`) another is meant
 * by the name. What stands here is exported, read from data, and replayed against Keras.
 */
export { Accuracy } from './accuracy.js';
export {
  IoU,
  type IoUOptions,
  MeanIoU,
  type MeanIoUOptions,
  OneHotIoU,
  type OneHotIoUOptions,
  OneHotMeanIoU,
  type OneHotMeanIoUOptions,
} from './iou.js';
export { Mean, Sum } from './mean.js';
export * from './operating-point.js';
