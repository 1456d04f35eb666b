//! The Node-API shell: everything else knows nothing of JavaScript.

use crate::memory::Memory;
use crate::pool::{Inline, Outcome, Pool};
use crate::simd::Level;
use napi::bindgen_prelude::{Buffer, Env, Error, Object, Result};
use napi_derive::napi;

/// Words of the control block in which the engine's host finds what was refused (`ErrorWord`).
const ERROR_CODE: usize = 16;
const ERROR_VALUE: usize = 20;
const ERROR_COMMAND: usize = 24;

/// An engine over one memory.
#[napi]
pub struct NativeEngine {
    level: Level,
    /// Keeps the memory alive.
    buffer: Option<Buffer>,
    memory: Memory,
    inline: Inline,
    pool: Option<Pool>,
}

/// Leaves in memory what the host looks for; a fault is an error of its own.
fn report(memory: &Memory, control: u32, outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Fault(reason) => Err(Error::from_reason(format!("native engine: {reason}"))),
        Outcome::Refused(code, value, command) => {
            let control = control as usize;
            let write = |at: usize, word: i32| memory.set_word(control + at, word).map_err(Error::from_reason);
            write(ERROR_VALUE, value)?;
            write(ERROR_COMMAND, command as u32 as i32)?;
            write(ERROR_CODE, code)
        }
    }
}

#[napi]
impl NativeEngine {
    /// `simd`: the name of an instruction set, or nothing for the widest.
    #[napi(constructor)]
    pub fn new(simd: Option<String>) -> Result<NativeEngine> {
        let level = Level::choose(simd.as_deref()).map_err(Error::from_reason)?;
        // SAFETY: an empty range is never read.
        let memory = unsafe { Memory::new(std::ptr::null_mut(), 0) };
        Ok(NativeEngine { level, buffer: None, memory, inline: Inline::default(), pool: None })
    }

    /// The instruction set in use.
    #[napi(getter)]
    pub fn simd(&self) -> &'static str {
        self.level.name()
    }

    /// Sets the memory that commands work on: all of a WebAssembly memory, again whenever it has grown. No program may run meanwhile.
    #[napi]
    pub fn attach(&mut self, mut buffer: Buffer) {
        let bytes = buffer.len();
        // SAFETY: the buffer is kept; a WebAssembly memory does not move, and only grows.
        self.memory = unsafe { Memory::new(buffer.as_mut_ptr(), bytes) };
        self.buffer = Some(buffer);
    }

    /// Runs the commands from `program` to `end` on the calling thread. What kernels refuse is left in the control block.
    #[napi]
    pub fn run(&mut self, program: u32, end: u32, control: u32) -> Result<()> {
        let outcome = self.inline.run(self.level, self.memory, program as usize, end as usize);
        report(&self.memory, control, outcome)
    }

    /// Starts threads for `submit`; those before end when their program has.
    #[napi]
    pub fn start(&mut self, threads: u32) -> Result<()> {
        self.pool = None;
        let pool =
            Pool::start(self.level, (threads as usize).max(1)).map_err(|error| Error::from_reason(format!("native engine: {error}")))?;
        self.pool = Some(pool);
        Ok(())
    }

    /// Ends the threads.
    #[napi]
    pub fn stop(&mut self) {
        self.pool = None;
    }

    /// Runs the commands on the threads; resolves when they are done. One program at a time.
    #[napi]
    pub fn submit<'env>(&self, env: &'env Env, program: u32, end: u32, control: u32) -> Result<Object<'env>> {
        let Some(pool) = &self.pool else {
            return Err(Error::from_reason("native engine: no threads were started"));
        };
        let (deferred, promise) = env.create_deferred::<(), fn(Env) -> Result<()>>()?;
        let memory = self.memory;
        let done = move |outcome| match report(&memory, control, outcome) {
            Ok(()) => deferred.resolve(|_| Ok(())),
            Err(error) => deferred.reject(error),
        };
        pool.submit(memory, program as usize, end as usize, Box::new(done));
        Ok(promise)
    }
}
