/** The callbacks. One line each: the tests that walk all of them, and what the package exports, follow from it. */
export { BackupAndRestore, type BackupAndRestoreOptions } from './backup-and-restore.js';
export { CSVLogger, type CSVLoggerOptions } from './csv-logger.js';
export { EarlyStopping, type EarlyStoppingOptions } from './early-stopping.js';
export { History, type HistoryRecord } from './history.js';
export { LambdaCallback } from './lambda-callback.js';
export { LearningRateScheduler, type LearningRateSchedulerOptions } from './learning-rate-scheduler.js';
export { ModelCheckpoint, type ModelCheckpointOptions } from './model-checkpoint.js';
export { ProgressLogger, type Verbosity } from './progress.js';
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './reduce-lr-on-plateau.js';
export { SwapEMAWeights, type SwapEMAWeightsOptions } from './swap-ema-weights.js';
export { TensorBoard, type TensorBoardOptions } from './tensorboard/tensorboard.js';
export { TerminateOnNaN, type TerminateOnNaNOptions } from './terminate-on-nan.js';
