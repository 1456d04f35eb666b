//! The native engine of Recurra: it runs the same commands over the same memory as the WebAssembly kernels, at the machine's full width.
/// Written from `packages/kernels/commands` by `pnpm build:native`.
#[path = "generated/commands.rs"]
#[rustfmt::skip]
pub mod commands;
pub mod kernels;
pub mod math;
pub mod memory;
#[cfg(feature = "node")]
pub mod node;
pub mod pool;
pub mod run;
pub mod scratch;
pub mod simd;
pub mod team;
pub mod testing;
