/** For those who write operations, layers and engines: what the packages share, beside what users call (`recurra`). */
export * from '@recurra/autograd/extend';
export * from '@recurra/cells/extend';
export * from '@recurra/compiler/extend';
export * from '@recurra/layers/extend';
// Values of layers' variables; that of @recurra/compiler is its base.
export { withValues } from '@recurra/layers/extend';
export * from '@recurra/optim/extend';
export * from '@recurra/preprocessing/extend';
export * from '@recurra/tensor/extend';
