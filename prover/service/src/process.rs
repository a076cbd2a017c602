//! What a process that holds record data gives up: it leaves no core dump, no other process of its user may read its memory, and threads that are
//! done with a record leave none of it on their stacks. (What is on the heap is zeroed by the allocator, `main.rs`.)
//!
//! Memory is not locked: what the kernel pages out is the operator's to encrypt or to switch off (docs/secrets.md).

use crate::error::ServiceError;
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, kill_process_group, set_dumpable_behavior, setrlimit,
};

/// Switches core dumps off, for this process and those that it starts: the limit cannot be raised again, and the kernel is told not to
/// dump this process even where `core_pattern` names a program. Call it before anything is read.
///
/// # Errors
/// The kernel refuses: nothing must be served then.
pub fn harden() -> Result<(), ServiceError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|_| ServiceError::Bug("the kernel does not let core dumps be switched off"))?;
    // After the limit: a dump that a program receives ignores the limit, but not this.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|_| ServiceError::Bug("the kernel does not let this process be made undumpable"))
}

/// Kills a child that was started as the leader of a group, and all that it started: of a script, what hangs is a program that it called.
pub(crate) fn end_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // They may have ended by themselves meanwhile.
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// More of a stack than reading or proving a claim takes, and less than a thread has, in bytes.
const WORK: usize = 512 << 10;
/// More than a message takes on its way, likewise.
const PASSING: usize = 128 << 10;

/// Zeroes so much below this call's place on the stack.
#[inline(never)]
fn wipe<const BYTES: usize>() {
    let mut left = [0u8; BYTES];
    // As far as the compiler knows, somebody reads them.
    std::hint::black_box(&mut left);
}

/// Zeroes what passing messages left on the stack of a thread that has nothing to do.
pub fn wipe_idle() {
    wipe::<PASSING>();
}

/// Does work with a record, and zeroes what it left on this thread's stack. Work that panics leaves it there; threads that it has help it are
/// not reached.
pub fn wiping<T>(work: impl FnOnce() -> T) -> T {
    /// What it leaves must be below.
    #[inline(never)]
    fn call<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let done = call(work);
    wipe::<WORK>();
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn a_hardened_process_leaves_no_core_dump() -> Result<(), Box<dyn std::error::Error>> {
        harden()?;
        assert_eq!(dumpable_behavior()?, DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        Ok(())
    }
}
