//! The commands of compiled steps, one family a file or folder, and what families share (of recurrent cells: cells.rs, steps.rs; of products: ahead.rs). Each checks that all of
//! its operands lie in memory before it reads or writes any.
pub mod ahead;
pub mod attention;
pub mod cells;
pub mod chain;
pub mod convolution;
pub mod gemm;
pub mod indexing;
pub mod pooling;
pub mod random;
pub mod recurrence;
pub mod reduce;
pub mod rows;
pub mod sequence;
pub mod steps;
