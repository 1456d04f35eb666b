/** What packages export in both of their entries: what users call, and what those need who write operations, layers and engines. */
import * as autogradUsers from '@recurra/autograd';
import * as autogradWriters from '@recurra/autograd/extend';
import * as cellsUsers from '@recurra/cells';
import * as cellsWriters from '@recurra/cells/extend';
import * as compilerUsers from '@recurra/compiler';
import * as compilerWriters from '@recurra/compiler/extend';
import * as layersUsers from '@recurra/layers';
import * as layersWriters from '@recurra/layers/extend';
import * as optimUsers from '@recurra/optim';
import * as optimWriters from '@recurra/optim/extend';
import * as preprocessingUsers from '@recurra/preprocessing';
import * as preprocessingWriters from '@recurra/preprocessing/extend';
import * as tensorUsers from '@recurra/tensor';
import * as tensorWriters from '@recurra/tensor/extend';

export const autograd: typeof autogradUsers & typeof autogradWriters = { ...autogradUsers, ...autogradWriters };

export const cells: typeof cellsUsers & typeof cellsWriters = { ...cellsUsers, ...cellsWriters };

export const compiler: typeof compilerUsers & typeof compilerWriters = { ...compilerUsers, ...compilerWriters };

export const layers: typeof layersUsers & typeof layersWriters = { ...layersUsers, ...layersWriters };

export const optim: typeof optimUsers & typeof optimWriters = { ...optimUsers, ...optimWriters };

export const tensor: typeof tensorUsers & typeof tensorWriters = { ...tensorUsers, ...tensorWriters };

export const preprocessing: typeof preprocessingUsers & typeof preprocessingWriters = {
  ...preprocessingUsers,
  ...preprocessingWriters,
};
