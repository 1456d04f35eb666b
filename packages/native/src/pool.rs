//! Threads that run programs as a team. They look out for work for a short while, then sleep.

use crate::memory::Memory;
use crate::run::{run, Desk};
use crate::scratch::Scratch;
use crate::simd::Level;
use crate::team::Team;
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for work before it sleeps: some 20 microseconds.
const SPINS: u32 = 2_000;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A kernel refused a value: code, value, and the address of the command.
    Refused(i32, i32, usize),
    /// A command could not run, or a kernel panicked.
    Fault(String),
}

impl Outcome {
    pub fn of(team: &Team) -> Outcome {
        match (team.fault(), team.refusal()) {
            (Some(reason), _) => Outcome::Fault(reason),
            (None, Some((code, value, command))) => Outcome::Refused(code, value, command),
            (None, None) => Outcome::Done,
        }
    }
}

type Done = Box<dyn FnOnce(Outcome) + Send>;

struct Job {
    /// Its place in the order of all: 1 for the first.
    number: u32,
    level: Level,
    team: Team,
    program: usize,
    end: usize,
    remaining: AtomicUsize,
    done: Mutex<Option<Done>>,
}

#[derive(Default)]
struct State {
    /// Those that have not ended, in order. Every thread works on each.
    jobs: VecDeque<Arc<Job>>,
    submitted: u32,
    spare: Scratch,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    /// Changes with every job, and when the threads shall end.
    epoch: AtomicU32,
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A team of threads, which run one program after another.
pub struct Pool {
    level: Level,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// `Err` where the system gives no threads.
    pub fn start(level: Level, count: usize) -> std::io::Result<Pool> {
        let shared = Arc::new(Shared::default());
        let mut pool = Pool { level, shared, threads: Vec::new() };
        for place in 0..count {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("recurra {place}")).spawn(move || work(&shared, place))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Runs a program, after those before it; `done` is called by the thread that ends it.
    pub fn submit(&self, memory: Memory, program: usize, end: usize, done: Done) {
        let mut state = self.shared.lock();
        let team = Team::new(memory, self.count()).with_shared(std::mem::take(&mut state.spare));
        state.submitted += 1;
        let job = Job {
            number: state.submitted,
            level: self.level,
            team,
            program,
            end,
            remaining: AtomicUsize::new(self.count()),
            done: Mutex::new(Some(done)),
        };
        state.jobs.push_back(Arc::new(job));
        self.wake(state);
    }

    /// Lets the threads end once they have done what was submitted; does not wait for them.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.wake(state);
    }

    /// Have all threads ended?
    pub fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Under the lock: a thread that has just found nothing new would else go to sleep after it was woken.
    fn wake(&self, state: MutexGuard<'_, State>) {
        self.shared.epoch.fetch_add(1, Ordering::Release);
        drop(state);
        self.shared.wake.notify_all();
    }
}

impl Drop for Pool {
    /// Breaks off what runs, as soon as its commands meet, and waits for that: the memory may be gone after.
    fn drop(&mut self) {
        for job in &self.shared.lock().jobs {
            job.team.abort("the engine was dropped".to_string());
        }
        self.close();
        for thread in self.threads.drain(..) {
            // A thread does not panic: what could is caught.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, place: usize) {
    let mut desk = Desk::default();
    let mut seen = 0;
    let mut done = 0;
    loop {
        let mut looks = 0;
        while shared.epoch.load(Ordering::Acquire) == seen && looks < SPINS {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut state = shared.lock();
        while shared.epoch.load(Ordering::Acquire) == seen {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        seen = shared.epoch.load(Ordering::Acquire);
        while let Some(job) = state.jobs.iter().find(|job| job.number > done).cloned() {
            drop(state);
            perform(shared, &job, place, &mut desk);
            done = job.number;
            state = shared.lock();
        }
        if state.closing {
            return;
        }
    }
}

fn perform(shared: &Shared, job: &Job, place: usize, desk: &mut Desk) {
    run(job.level, &job.team, place, desk, job.program, job.end);
    if job.remaining.fetch_sub(1, Ordering::AcqRel) != 1 {
        return;
    }
    let outcome = Outcome::of(&job.team);
    {
        let mut state = shared.lock();
        // SAFETY: all workers have ended this job.
        state.spare = unsafe { job.team.take_shared() };
        // It is the first: all worked on those before it.
        state.jobs.pop_front();
    }
    let done = job.done.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(done) = done {
        // The other threads wait for this one at the next job: it goes on, whatever happens to who waits for this.
        let _ = catch_unwind(AssertUnwindSafe(|| done(outcome)));
    }
}

/// Runs programs on the calling thread.
#[derive(Default)]
pub struct Inline {
    desk: Desk,
    spare: Scratch,
}

impl Inline {
    pub fn run(&mut self, level: Level, memory: Memory, program: usize, end: usize) -> Outcome {
        let team = Team::new(memory, 1).with_shared(std::mem::take(&mut self.spare));
        run(level, &team, 0, &mut self.desk, program, end);
        // SAFETY: the only worker has ended.
        self.spare = unsafe { team.take_shared() };
        Outcome::of(&team)
    }
}
