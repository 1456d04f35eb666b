//! The Node-API shell: everything else knows nothing of JavaScript.

use crate::commands::{control, PROTOCOL};
use crate::memory::Memory;
use crate::pool::{Inline, Outcome, Pool};
use crate::run;
use crate::simd::Level;
use napi::bindgen_prelude::{Buffer, Env, Error, Int32Array, Object, Result};
use napi_derive::napi;

/// The commands that this engine reads.
#[napi]
pub fn protocol() -> &'static str {
    PROTOCOL
}

/// Bytes of a block that the engine sizes: the word at place `word` of a command with this number and these words.
#[napi]
pub fn block_bytes(command: i32, word: u32, words: Int32Array) -> Result<f64> {
    let bytes =
        run::block_bytes(command, word as usize, &words).map_err(|reason| Error::from_reason(format!("native engine: {reason}")))?;
    Ok(bytes as f64)
}

/// An engine over one memory.
#[napi]
pub struct NativeEngine {
    level: Level,
    /// The threads, and those of before that have not ended yet. They go first: they work on the memory.
    pool: Option<Pool>,
    retired: Vec<Pool>,
    inline: Inline,
    memory: Memory,
    /// Keeps the memory alive.
    buffer: Option<Buffer>,
}

/// Leaves in memory what the host looks for; a fault is an error of its own.
fn report(memory: &Memory, block: u32, outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Fault(reason) => Err(Error::from_reason(format!("native engine: {reason}"))),
        Outcome::Refused(code, value, command) => {
            let write = |at: usize, word: i32| memory.set_word(block as usize + at * 4, word).map_err(Error::from_reason);
            write(control::ERROR_VALUE, value)?;
            write(control::ERROR_COMMAND, command as u32 as i32)?;
            write(control::ERROR_KIND, code)
        }
    }
}

#[napi]
impl NativeEngine {
    /// `simd`: the name of an instruction set, or nothing for the widest.
    #[napi(constructor)]
    pub fn new(simd: Option<String>) -> Result<NativeEngine> {
        let level = Level::choose(simd.as_deref()).map_err(Error::from_reason)?;
        Ok(NativeEngine { level, pool: None, retired: Vec::new(), inline: Inline::default(), memory: Memory::empty(), buffer: None })
    }

    /// The instruction set in use.
    #[napi(getter)]
    pub fn simd(&self) -> &'static str {
        self.level.name()
    }

    /// Sets the memory that commands work on from now on: all of a WebAssembly memory, again whenever it has grown. Who submits a program keeps its memory
    /// alive until it has ended.
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

    /// Starts threads for `submit`, unless there are as many; others end once they have done what was submitted.
    #[napi]
    pub fn start(&mut self, threads: u32) -> Result<()> {
        if self.pool.as_ref().is_some_and(|pool| pool.count() == threads as usize) {
            return Ok(());
        }
        self.stop();
        let pool =
            Pool::start(self.level, (threads as usize).max(1)).map_err(|error| Error::from_reason(format!("native engine: {error}")))?;
        self.pool = Some(pool);
        Ok(())
    }

    /// Ends the threads, once they have done what was submitted; does not wait for them.
    #[napi]
    pub fn stop(&mut self) {
        self.retired.retain(|pool| !pool.has_ended());
        if let Some(pool) = self.pool.take() {
            pool.close();
            self.retired.push(pool);
        }
    }

    /// Runs the commands on the threads, after those that were submitted before; resolves when they are done.
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
